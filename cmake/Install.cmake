# cmake --install: component runtime is the program with its data, manual pages, completions and LibTorch's libraries;
# component development the libraries with their headers, and what find_package(w2w) reads. Without --component: both.
include(CMakePackageConfigHelpers)
set(W2W_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/w2w)

# A LibTorch that scripts/setup put into this clone is copied, so that the installed program outlives the clone. One of your own
# (W2W_TORCH_ROOT) stays where it is. LibTorch's headers are never copied: find_package(w2w) takes another W2W_TORCH_ROOT.
file(REAL_PATH ${W2W_TORCH_ROOT} _w2w_torch)
file(REAL_PATH ${CMAKE_SOURCE_DIR} _w2w_clone)
cmake_path(IS_PREFIX _w2w_clone ${_w2w_torch} _w2w_torch_in_clone)
if(_w2w_torch_in_clone)
  set(_w2w_install_torch cpu)
else()
  set(_w2w_install_torch no)
endif()
set(W2W_INSTALL_TORCH ${_w2w_install_torch} CACHE STRING
    "Copy LibTorch's libraries when installing: no, cpu (0.5 GB), cuda (also what the CUDA plug-in needs: 5 GB)")
set_property(CACHE W2W_INSTALL_TORCH PROPERTY STRINGS no cpu cuda)
set(W2W_PRIVATE_LIBDIR ${CMAKE_INSTALL_LIBDIR}/w2w)
set(_w2w_search $ORIGIN/../${CMAKE_INSTALL_LIBDIR})  # from bin/, so that the whole tree may be moved
if(NOT W2W_INSTALL_TORCH STREQUAL no)
  list(APPEND _w2w_search $ORIGIN/../${W2W_PRIVATE_LIBDIR})
endif()

install(TARGETS ${W2W_ROOMS} EXPORT w2wTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(EXPORT w2wTargets NAMESPACE w2w:: DESTINATION ${W2W_PACKAGE_DIR} COMPONENT development)
install(DIRECTORY include/w2w DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
configure_package_config_file(cmake/w2wConfig.cmake.in ${CMAKE_BINARY_DIR}/w2wConfig.cmake
  INSTALL_DESTINATION ${W2W_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/w2wConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/w2wConfig.cmake ${CMAKE_BINARY_DIR}/w2wConfigVersion.cmake cmake/Torch.cmake
  DESTINATION ${W2W_PACKAGE_DIR} COMPONENT development)

install(TARGETS w2w RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
set_target_properties(w2w PROPERTIES INSTALL_RPATH "${_w2w_search}")
if(W2W_INSTALL_TORCH STREQUAL no)
  set_property(TARGET w2w APPEND PROPERTY INSTALL_RPATH ${W2W_RUNTIME_PATH})
endif()
if(TARGET w2w_cuda)
  # Optional: scripts/quickstart builds it only where there is a GPU.
  install(TARGETS w2w_cuda OPTIONAL LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
  set_target_properties(w2w_cuda PROPERTIES INSTALL_RPATH "${_w2w_search}")
  if(NOT W2W_INSTALL_TORCH STREQUAL cuda)
    set_property(TARGET w2w_cuda APPEND PROPERTY INSTALL_RPATH ${W2W_RUNTIME_PATH})
  endif()
endif()
install(DIRECTORY share/w2w DESTINATION ${CMAKE_INSTALL_DATADIR} COMPONENT runtime)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(FILES src/text/NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME NOTICE.vocabulary COMPONENT runtime)
install(FILES src/engine/NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME NOTICE.fonts COMPONENT runtime)
configure_file(cmake/install_texts.cmake.in ${CMAKE_BINARY_DIR}/install_texts.cmake @ONLY)
install(SCRIPT ${CMAKE_BINARY_DIR}/install_texts.cmake COMPONENT runtime)
if(NOT W2W_INSTALL_TORCH STREQUAL no)
  configure_file(cmake/install_torch.cmake.in ${CMAKE_BINARY_DIR}/install_torch.cmake @ONLY)
  install(SCRIPT ${CMAKE_BINARY_DIR}/install_torch.cmake COMPONENT runtime)
endif()

configure_file(cmake/uninstall.cmake.in ${CMAKE_BINARY_DIR}/uninstall.cmake @ONLY)
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${CMAKE_BINARY_DIR}/uninstall.cmake VERBATIM)

# cpack -G DEB: the runtime alone.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME w2w)
set(CPACK_PACKAGE_CONTACT "The w2w authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "weights2weights: models of people, sampled, edited and inverted")
set(CPACK_COMPONENTS_ALL runtime)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME w2w)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${W2W_RUNTIME_PATH})
include(CPack)
