# SPDX-License-Identifier: MIT
#
# Flags of this directory and below. They are directory options, not target properties, so that
# neither warnings nor sanitizers are exported to a consumer.

set(CMAKE_CXX_EXTENSIONS OFF)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    message(WARNING
        "g++ ${CMAKE_CXX_COMPILER_VERSION} builds Coracle and passes its tests, but it miscompiles "
        "common coroutine code in your own programs: `while (co_await x)` may await twice, and "
        "aggregate temporaries or capturing lambdas inside a co_await expression are destroyed "
        "twice. Use Clang 16 or newer, or GCC 13 or newer.")
endif()

if(CORACLE_WERROR)
    add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
endif()

if(CORACLE_SANITIZE)
    # Without recovery, so that a test ends in failure at the first finding.
    add_compile_options(-fsanitize=${CORACLE_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CORACLE_SANITIZE})
endif()
