# Imported target w2w_torch (w2w::torch): libc10 and libtorch_cpu of a LibTorch, without find_package(Torch), which demands
# nvcc for the CUDA wheel. W2W_TORCH_ROOT is the folder that holds include/ and lib/; by default the wheel in .deps/venv.
# Used by the build and, installed beside w2wConfig.cmake, by projects that link the library.
if(NOT W2W_TORCH_ROOT)
  # The system's Python may have been replaced by a newer one: LibTorch lies in the folder of one of them.
  file(GLOB _w2w_torch_candidates ${CMAKE_CURRENT_LIST_DIR}/../.deps/venv/lib/python3*/site-packages/torch/lib/libtorch_cpu.so)
  if(_w2w_torch_candidates)
    list(GET _w2w_torch_candidates -1 _w2w_torch_default)
    cmake_path(GET _w2w_torch_default PARENT_PATH _w2w_torch_default)
    cmake_path(GET _w2w_torch_default PARENT_PATH _w2w_torch_default)
    set(W2W_TORCH_ROOT "${_w2w_torch_default}" CACHE PATH "LibTorch >= 2.6: the folder that holds include/ and lib/")
  endif()
endif()
if(NOT EXISTS ${W2W_TORCH_ROOT}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "No LibTorch in W2W_TORCH_ROOT='${W2W_TORCH_ROOT}': run scripts/setup first, or pass "
                      "-DW2W_TORCH_ROOT=FOLDER with include/ and lib/libtorch_cpu.so")
endif()

# Imported, so that its headers count as system headers and an exported target only names it.
add_library(w2w_torch INTERFACE IMPORTED GLOBAL)
add_library(w2w::torch ALIAS w2w_torch)
target_include_directories(w2w_torch INTERFACE
  ${W2W_TORCH_ROOT}/include ${W2W_TORCH_ROOT}/include/torch/csrc/api/include)
target_link_libraries(w2w_torch INTERFACE ${W2W_TORCH_ROOT}/lib/libtorch_cpu.so ${W2W_TORCH_ROOT}/lib/libc10.so)
# The wheel bundles libgomp.so.1; linking that very file keeps a second OpenMP runtime out of the process.
if(EXISTS ${W2W_TORCH_ROOT}/lib/libgomp.so.1)
  target_link_libraries(w2w_torch INTERFACE ${W2W_TORCH_ROOT}/lib/libgomp.so.1)
endif()
# libtorch_cpu.so of a CUDA wheel needs libcudart and libcupti, which lie in the nvidia wheels beside it.
file(GLOB _w2w_nvidia_libs ${W2W_TORCH_ROOT}/../nvidia/*/lib)
set(W2W_RUNTIME_PATH ${W2W_TORCH_ROOT}/lib ${_w2w_nvidia_libs})
foreach(_dir ${W2W_RUNTIME_PATH})
  target_link_options(w2w_torch INTERFACE -Wl,-rpath-link,${_dir})
endforeach()
