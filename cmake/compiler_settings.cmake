# SPDX-License-Identifier: MIT
#
# Flags of this directory and below. They are directory options, not target properties, so that
# neither warnings nor sanitizers are exported to a consumer.

set(CMAKE_CXX_EXTENSIONS OFF)

include("${CMAKE_CURRENT_LIST_DIR}/check_compiler.cmake")

if(CORACLE_WERROR)
    add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
endif()

if(CORACLE_SANITIZE)
    # Without recovery, so that a test ends in failure at the first finding.
    add_compile_options(-fsanitize=${CORACLE_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CORACLE_SANITIZE})
endif()
