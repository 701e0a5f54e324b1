# SPDX-License-Identifier: MIT
#
# What the library links. All of it is private: no public header includes any of it. A static
# library passes it on at link time, which is why coracle-config.cmake finds it again, and why the
# targets are global: a consumer with add_subdirectory links them from a directory above this one.

find_package(Threads REQUIRED GLOBAL)
if(CMAKE_CROSSCOMPILING)
    include(borrowed_headers)
    coracle_borrow_headers(fmt::fmt fmt core.h)
    target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
elseif(NOT TARGET fmt::fmt)
    find_package(fmt REQUIRED GLOBAL)
endif()
target_link_libraries(coracle PUBLIC Threads::Threads PRIVATE fmt::fmt)

if(WIN32)
    target_link_libraries(coracle PRIVATE ws2_32)
    target_compile_definitions(coracle PRIVATE _WIN32_WINNT=0x0A00 NOMINMAX WIN32_LEAN_AND_MEAN)
elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(liburing REQUIRED IMPORTED_TARGET GLOBAL liburing>=2.3)
    target_link_libraries(coracle PRIVATE PkgConfig::liburing)
endif()
