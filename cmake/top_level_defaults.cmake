# SPDX-License-Identifier: MIT
#
# What only the top-level project may decide: the build type and the compiler's launcher.

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT multi_config AND NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

find_program(CORACLE_CCACHE ccache)
mark_as_advanced(CORACLE_CCACHE)
if(CORACLE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CORACLE_CCACHE}")
endif()
