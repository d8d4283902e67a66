// What src/cuda calls of LibTorch's CUDA libraries: one stream, which does everything at once.

#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/cuda/Exceptions.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

namespace c10::cuda {

cudaStream_t CUDAStream::stream() const { return nullptr; }

CUDAStream getCurrentCUDAStream(DeviceIndex) {
  return CUDAStream(CUDAStream::UNCHECKED, Stream(Stream::DEFAULT, Device(kCPU)));
}

void c10_cuda_check_implementation(int32_t error, const char*, const char* function, uint32_t, bool) {
  TORCH_CHECK(error == cudaSuccess, function, ": error ", error);
}

}  // namespace c10::cuda

namespace at::cuda {

cublasLtHandle_t getCurrentCUDABlasLtHandle() { return nullptr; }
namespace blas {
const char* _cublasGetErrorEnum(cublasStatus_t) { return "an error of cuBLAS"; }
}  // namespace blas

}  // namespace at::cuda
