include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ichdet)
get_property(components GLOBAL PROPERTY ICHDET_COMPONENTS)
configure_package_config_file(cmake/ichdet-config.cmake.in ichdet-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(ichdet-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ichdet-config.cmake ${PROJECT_BINARY_DIR}/ichdet-config-version.cmake
  cmake/IchdetFind.cmake DESTINATION ${package_dir})
install(DIRECTORY include/ichdet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY bundles/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ichdet/bundles PATTERN registry.json EXCLUDE)

# `cmake --build build --target ichdet_installed` builds what is installed, and neither tests nor examples.
set(installed ${components})
list(TRANSFORM installed PREPEND ichdet_)
if(TARGET ichdet_cli)
  list(APPEND installed ichdet_cli)
endif()
add_custom_target(ichdet_installed DEPENDS ${installed})
