# SPDX-License-Identifier: MIT
#
# Warns of a compiler that miscompiles what programs do with this library. Part of the package too.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    message(WARNING
        "g++ ${CMAKE_CXX_COMPILER_VERSION} builds Coracle and passes its tests, but it miscompiles "
        "common coroutine code in your own programs: `while (co_await x)` may await twice, and "
        "aggregate temporaries or capturing lambdas inside a co_await expression are destroyed "
        "twice. Use Clang 16 or newer, or GCC 13 or newer.")
endif()
