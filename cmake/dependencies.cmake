# SPDX-License-Identifier: MIT
#
# What the library links. All of it is private: no public header includes any of it. A static
# library passes it on at link time, which is why coracle-config.cmake finds it again, and why the
# targets are global: a consumer with add_subdirectory links them from a directory above this one.

find_package(Threads REQUIRED GLOBAL)
if(NOT TARGET fmt::fmt)
    find_package(fmt REQUIRED GLOBAL)
endif()
find_package(PkgConfig REQUIRED)
pkg_check_modules(liburing REQUIRED IMPORTED_TARGET GLOBAL liburing>=2.3)

target_link_libraries(coracle PUBLIC Threads::Threads PRIVATE fmt::fmt PkgConfig::liburing)
