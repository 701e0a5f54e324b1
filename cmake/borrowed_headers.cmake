# SPDX-License-Identifier: MIT
#
# For a cross build: libraries that are headers only, borrowed from the machine that builds. Its
# include folder as a whole would bring the headers of another system, so each is reached by a link.

set(coracle_borrowed_dir "${PROJECT_BINARY_DIR}/borrowed_include")

# Makes the target `target` of the headers in <name>/, which must hold `header`.
function(coracle_borrow_headers target name header)
    if(TARGET ${target})
        return()
    endif()
    find_path(CORACLE_${name}_PARENT "${name}/${header}" PATHS /usr/include /usr/local/include ENV CPATH
              NO_CMAKE_FIND_ROOT_PATH REQUIRED)
    file(MAKE_DIRECTORY "${coracle_borrowed_dir}")
    file(CREATE_LINK "${CORACLE_${name}_PARENT}/${name}" "${coracle_borrowed_dir}/${name}" SYMBOLIC)
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} INTERFACE "${coracle_borrowed_dir}")
endfunction()
