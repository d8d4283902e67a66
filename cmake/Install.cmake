# cmake --install: the program, its data in share/w2w, the libraries with their headers, and what find_package(w2w) reads.
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
set(_w2w_search $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
if(NOT W2W_INSTALL_TORCH STREQUAL no)
  list(APPEND _w2w_search $ORIGIN/../${W2W_PRIVATE_LIBDIR})
endif()

install(TARGETS ${W2W_ROOMS} EXPORT w2wTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT w2wTargets NAMESPACE w2w:: DESTINATION ${W2W_PACKAGE_DIR})
install(DIRECTORY include/w2w DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY share/w2w DESTINATION ${CMAKE_INSTALL_DATADIR})
install(TARGETS w2w RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set_target_properties(w2w PROPERTIES INSTALL_RPATH "${_w2w_search}")
if(W2W_INSTALL_TORCH STREQUAL no)
  set_property(TARGET w2w APPEND PROPERTY INSTALL_RPATH ${W2W_RUNTIME_PATH})
endif()
# The program writes its manual pages: they are those of what is installed.
install(CODE "
  file(REMOVE_RECURSE \"${CMAKE_BINARY_DIR}/man\")
  execute_process(COMMAND \"$<TARGET_FILE:w2w>\" help --man \"${CMAKE_BINARY_DIR}/man\" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB w2w_manual \"${CMAKE_BINARY_DIR}/man/*.1\")
  file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man1\" TYPE FILE FILES \${w2w_manual})")
if(TARGET w2w_cuda)
  # Optional: scripts/quickstart builds it only where there is a GPU.
  install(TARGETS w2w_cuda OPTIONAL LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  set_target_properties(w2w_cuda PROPERTIES INSTALL_RPATH "${_w2w_search}")
  if(NOT W2W_INSTALL_TORCH STREQUAL cuda)
    set_property(TARGET w2w_cuda APPEND PROPERTY INSTALL_RPATH ${W2W_RUNTIME_PATH})
  endif()
endif()
if(NOT W2W_INSTALL_TORCH STREQUAL no)
  configure_file(cmake/install_torch.cmake.in ${CMAKE_BINARY_DIR}/install_torch.cmake @ONLY)
  install(SCRIPT ${CMAKE_BINARY_DIR}/install_torch.cmake)
endif()

configure_package_config_file(cmake/w2wConfig.cmake.in ${CMAKE_BINARY_DIR}/w2wConfig.cmake
  INSTALL_DESTINATION ${W2W_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/w2wConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/w2wConfig.cmake ${CMAKE_BINARY_DIR}/w2wConfigVersion.cmake cmake/Torch.cmake
  DESTINATION ${W2W_PACKAGE_DIR})
