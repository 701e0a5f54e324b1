# SPDX-License-Identifier: MIT
#
# Compiles one source that must be refused with the message that it names in its second line, and
# again with FIXED defined, which must compile: else it would be refused for some other reason.
#
#     cmake -D COMPILER=... -D FLAGS=... -D SOURCE=... -P run.cmake

file(STRINGS "${SOURCE}" head LIMIT_COUNT 2)
if(NOT head MATCHES "\n?;?// expect: ([^;]+)$")
    message(FATAL_ERROR "${SOURCE} has to begin with: // expect: MESSAGE")
endif()
set(expected "${CMAKE_MATCH_1}")

function(compile)
    execute_process(COMMAND ${COMPILER} ${FLAGS} ${ARGN} -fsyntax-only "${SOURCE}"
                    RESULT_VARIABLE result ERROR_VARIABLE text)
    set(result "${result}" PARENT_SCOPE)
    string(REGEX REPLACE "[ \n|]+" " " text "${text}")
    set(text "${text}" PARENT_SCOPE)
endfunction()

compile(-DFIXED)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "with FIXED it should compile: ${text}")
endif()
compile()
if(result EQUAL 0)
    message(FATAL_ERROR "it compiles, but should be refused")
endif()
string(FIND "${text}" "${expected}" found)
if(found EQUAL -1)
    message(FATAL_ERROR "'${expected}' is not in what the compiler says: ${text}")
endif()
