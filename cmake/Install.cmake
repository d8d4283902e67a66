# cmake --install: the program, its data in share/w2w, the libraries with their headers, and what find_package(w2w) reads.
# LibTorch is not copied: the program and the package look for it where it was at build time (W2W_TORCH_ROOT).
include(CMakePackageConfigHelpers)
set(W2W_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/w2w)
install(TARGETS ${W2W_ROOMS} EXPORT w2wTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT w2wTargets NAMESPACE w2w:: DESTINATION ${W2W_PACKAGE_DIR})
install(DIRECTORY include/w2w DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY share/w2w DESTINATION ${CMAKE_INSTALL_DATADIR})
if(TARGET w2w_cuda)
  install(TARGETS w2w_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET w2w)
  install(TARGETS w2w RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
configure_package_config_file(cmake/w2wConfig.cmake.in ${CMAKE_BINARY_DIR}/w2wConfig.cmake
  INSTALL_DESTINATION ${W2W_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/w2wConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/w2wConfig.cmake ${CMAKE_BINARY_DIR}/w2wConfigVersion.cmake cmake/Torch.cmake
  DESTINATION ${W2W_PACKAGE_DIR})
