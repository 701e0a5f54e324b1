# SPDX-License-Identifier: MIT
#
# <coracle/...> as the one spelling, in the tree and installed.
#
# The folders memory, runtime and io are fixed, so there is no folder `coracle` to point -I at.
# In the tree <coracle/io/tcp.hpp> is a generated header of one line that includes the real one;
# installed, the same path is the real file. <coracle/coracle.hpp> includes all of them and is made
# from the same list, so that it cannot be stale.
#
# Headers in the folders of the platforms are private: only our own tests reach them, through
# coracle_private_headers. native_storage.hpp, which operations contain, is public.

file(GLOB coracle_public_headers RELATIVE "${PROJECT_SOURCE_DIR}" CONFIGURE_DEPENDS
     memory/*.hpp runtime/*.hpp runtime/diagnostics/*.hpp runtime/sync/*.hpp runtime/threads/*.hpp
     io/*.hpp io/windows/native_storage.hpp)
file(GLOB coracle_platform_headers RELATIVE "${PROJECT_SOURCE_DIR}" CONFIGURE_DEPENDS
     io/posix/*.hpp io/linux/*.hpp io/bsd/*.hpp io/windows/*.hpp)

set(coracle_include_dir "${PROJECT_BINARY_DIR}/include")
set(coracle_private_include_dir "${PROJECT_BINARY_DIR}/private_include")

# Writes the one-line headers for `ARGN` below `folder`; leaves unchanged files untouched.
function(coracle_forward_headers folder)
    foreach(header IN LISTS ARGN)
        file(CONFIGURE OUTPUT "${folder}/coracle/${header}" @ONLY
             CONTENT "#pragma once\n#include \"${PROJECT_SOURCE_DIR}/${header}\"\n")
    endforeach()
endfunction()

coracle_forward_headers("${coracle_include_dir}" ${coracle_public_headers})
coracle_forward_headers("${coracle_private_include_dir}" ${coracle_platform_headers})

list(TRANSFORM coracle_public_headers REPLACE "^(.+)$" "#include <coracle/\\1>"
     OUTPUT_VARIABLE coracle_includes)
list(JOIN coracle_includes "\n" coracle_includes)
file(CONFIGURE OUTPUT "${coracle_include_dir}/coracle/coracle.hpp" @ONLY CONTENT
"// SPDX-License-Identifier: MIT
//
// All of Coracle. Generated from the list of public headers: do not edit.
#pragma once

${coracle_includes}
")

target_include_directories(coracle PUBLIC
    $<BUILD_INTERFACE:${coracle_include_dir}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
)

add_library(coracle_private_headers INTERFACE)
target_include_directories(coracle_private_headers INTERFACE "${coracle_private_include_dir}")
