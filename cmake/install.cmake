# The installed package: find_package(relufit) gives the target relufit::relufit.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS relufit EXPORT relufit-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET relufit-v3)
  install(TARGETS relufit-v3 LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/glibc-hwcaps/x86-64-v3 NAMELINK_SKIP)
endif()
if(RELUFIT_BUILD_CLI)
  # In the Python package the program's folder is below the library's.
  set_target_properties(relufit-cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};$ORIGIN/..")
  install(TARGETS relufit-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/relufit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/generated/relufit/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/relufit)
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/relufit)
install(EXPORT relufit-targets NAMESPACE relufit:: DESTINATION ${package_directory})
configure_package_config_file(cmake/relufit-config.cmake.in ${PROJECT_BINARY_DIR}/relufit-config.cmake
  INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/relufit-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/relufit-config.cmake ${PROJECT_BINARY_DIR}/relufit-config-version.cmake
  DESTINATION ${package_directory})
