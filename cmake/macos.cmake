# SPDX-License-Identifier: MIT
#
# Builds for macOS on Linux with zig: set CORACLE_ZIG_TOOLS to what fetch_zig.sh prints, and
# CORACLE_ZIG_TARGET to aarch64-macos or x86_64-macos. Nothing here runs what comes of it.

set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CORACLE_ZIG_TOOLS CORACLE_ZIG_TARGET)

set(CMAKE_SYSTEM_NAME Darwin)
string(REGEX REPLACE "-macos$" "" CMAKE_SYSTEM_PROCESSOR "${CORACLE_ZIG_TARGET}")

set(CMAKE_CXX_COMPILER "${CORACLE_ZIG_TOOLS}/${CORACLE_ZIG_TARGET}-c++")
set(CMAKE_AR "${CORACLE_ZIG_TOOLS}/ar")
set(CMAKE_RANLIB "${CORACLE_ZIG_TOOLS}/ranlib")
set(CMAKE_INSTALL_NAME_TOOL /bin/true) # nothing is installed from here

# zig knows its target, and brings the system's headers.
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "" CACHE STRING "")

# Nothing of the machine that builds: its headers are those of another system.
set(CMAKE_FIND_ROOT_PATH "${CORACLE_ZIG_TOOLS}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
