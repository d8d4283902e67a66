# libw2w_cuda.so, the plug-in that base/accelerator.h loads: built where nvcc and the wheel's CUDA libraries are found.
option(W2W_CUDA "Build the CUDA plug-in where nvcc is found" ON)
set(W2W_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real 100-real 120 CACHE STRING
    "GPUs the kernels are compiled for; the last one also as PTX, for later ones")

if(NOT W2W_CUDA OR NOT EXISTS ${W2W_TORCH_ROOT}/lib/libtorch_cuda.so)
  return()
endif()
if(NOT CMAKE_CUDA_COMPILER)
  file(GLOB _w2w_nvcc ${W2W_TORCH_ROOT}/../nvidia/*/bin)  # of LibTorch's own version, before any other
  find_program(W2W_NVCC nvcc HINTS ${_w2w_nvcc} PATHS /usr/local/cuda/bin)
  if(NOT W2W_NVCC)
    message(STATUS "no nvcc: w2w is built without its CUDA plug-in")
    return()
  endif()
  set(CMAKE_CUDA_COMPILER ${W2W_NVCC})
endif()
set(CMAKE_CUDA_ARCHITECTURES ${W2W_CUDA_ARCHITECTURES})
if(CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # which CMake before 3.26 does not know of newer compilers
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()

# The wheel's own CUDA runtime and cuBLAS, so that the plug-in and LibTorch share one.
file(GLOB _w2w_cudart ${W2W_TORCH_ROOT}/../nvidia/*/lib/libcudart.so.*)
file(GLOB _w2w_cublas ${W2W_TORCH_ROOT}/../nvidia/*/lib/libcublasLt.so.*)
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
file(GLOB kernel_sources CONFIGURE_DEPENDS src/cuda/*.cu)
add_library(w2w_kernels OBJECT ${kernel_sources})
target_compile_options(w2w_kernels PRIVATE --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra)
target_include_directories(w2w_kernels PRIVATE src/cuda)
set_target_properties(w2w_kernels PROPERTIES CUDA_VISIBILITY_PRESET hidden)

file(GLOB plugin_sources CONFIGURE_DEPENDS src/cuda/*.cpp)
add_library(w2w_cuda MODULE ${plugin_sources})
target_include_directories(w2w_cuda PRIVATE include src/cuda)
target_include_directories(w2w_cuda SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_compile_options(w2w_cuda PRIVATE -Wall -Wextra -Wshadow ${W2W_WERROR_FLAG})
target_link_libraries(w2w_cuda PRIVATE w2w_kernels w2w_torch
  ${W2W_TORCH_ROOT}/lib/libtorch_cuda.so ${W2W_TORCH_ROOT}/lib/libc10_cuda.so ${_w2w_cudart} ${_w2w_cublas})
set_target_properties(w2w_cuda PROPERTIES CXX_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

if(W2W_TESTS)
  add_executable(w2w_kernel_test tests/cuda/kernels.cu)  # tests/gpu runs it; tests/cuda/host does so without a GPU
  add_executable(w2w_kernel_timings tests/cuda/timings.cu)
  foreach(program w2w_kernel_test w2w_kernel_timings)
    target_include_directories(${program} PRIVATE src)
    target_link_libraries(${program} PRIVATE w2w_kernels ${_w2w_cudart})
  endforeach()
endif()
