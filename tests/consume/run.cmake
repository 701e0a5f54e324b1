# SPDX-License-Identifier: MIT
#
# Configures, builds and runs one consumer, as a stranger would: its own build folder, none of our
# variables. usage: cmake -D CONSUMER=name -D ... -P run.cmake (tests/CMakeLists.txt lists them all)

function(run)
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(arguments "")
if(CONSUMER STREQUAL "find_package")
    # Installed, then moved: a package that still points at where it was made fails from here on.
    file(REMOVE_RECURSE "${WORK_DIR}/installed" "${WORK_DIR}/moved")
    run("${CMAKE_COMMAND}" --install "${LIBRARY_BUILD_DIR}" --prefix "${WORK_DIR}/installed")
    file(RENAME "${WORK_DIR}/installed" "${WORK_DIR}/moved")
    list(APPEND arguments "-DCMAKE_PREFIX_PATH=${WORK_DIR}/moved")

    # Whoever has a compiler that miscompiles programs is told so.
    find_program(gcc_12 g++-12)
    if(gcc_12)
        execute_process(COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/find_package"
                                -B "${WORK_DIR}/gcc_12" "-DCMAKE_CXX_COMPILER=${gcc_12}" ${arguments}
                        ERROR_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
        if(NOT said MATCHES "miscompiles")
            message(FATAL_ERROR "g++ 12 configures without a warning: ${said}")
        endif()
    endif()

    file(GLOB_RECURSE installed_files "${WORK_DIR}/moved/*.cmake" "${WORK_DIR}/moved/*.hpp")
    foreach(file IN LISTS installed_files)
        file(READ "${file}" text)
        string(FIND "${text}" "${LIBRARY_BUILD_DIR}" position)
        if(NOT position EQUAL -1)
            message(FATAL_ERROR "${file} names the build folder ${LIBRARY_BUILD_DIR}")
        endif()
    endforeach()
elseif(CONSUMER STREQUAL "fetch_content")
    # The same as what a download leaves, without the network.
    list(APPEND arguments "-DFETCHCONTENT_SOURCE_DIR_CORACLE=${LIBRARY_SOURCE_DIR}")
else()
    list(APPEND arguments "-DCORACLE_SOURCE_DIR=${LIBRARY_SOURCE_DIR}")
endif()

# The consumer's build type is his own affair, so let it be the other one.
if(BUILD_TYPE STREQUAL "Debug")
    set(BUILD_TYPE Release)
else()
    set(BUILD_TYPE Debug)
endif()

run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/${CONSUMER}" -B "${WORK_DIR}/build"
    -G "${GENERATOR}" "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
    "-DCMAKE_CXX_COMPILER_LAUNCHER=${COMPILER_LAUNCHER}" ${arguments})
run("${CMAKE_COMMAND}" --build "${WORK_DIR}/build")
run("${WORK_DIR}/build/consumer")
