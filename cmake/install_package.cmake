# SPDX-License-Identifier: MIT
#
# `cmake --install`: the library, its headers at the paths they are included by, and the package
# for find_package(coracle).

include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/coracle")

install(TARGETS coracle EXPORT coracle-targets)
install(EXPORT coracle-targets NAMESPACE coracle:: DESTINATION "${package_dir}")

foreach(header IN LISTS coracle_public_headers)
    get_filename_component(folder "${header}" DIRECTORY)
    install(FILES "${PROJECT_SOURCE_DIR}/${header}"
            DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/coracle/${folder}")
endforeach()
install(FILES "${coracle_include_dir}/coracle/coracle.hpp"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/coracle")

configure_package_config_file(
    cmake/coracle-config.cmake.in "${PROJECT_BINARY_DIR}/coracle-config.cmake"
    INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO
)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/coracle-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/coracle-config.cmake"
              "${PROJECT_BINARY_DIR}/coracle-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/check_compiler.cmake"
        DESTINATION "${package_dir}")
