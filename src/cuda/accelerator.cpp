// The plug-in: what base/accelerator.h promises, on LibTorch's CUDA library.

#include "w2w/device/accelerator.h"

#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

#include "operators.h"

namespace w2w::cuda {
namespace {

class GraphRecording : public Recording {
 public:
  /// cuBLAS and cuDNN make their workspaces in the first calls on a stream, which no capture may see.
  explicit GraphRecording(const std::function<void()>& work) {
    c10::cuda::device_synchronize();
    {
      const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool());
      for (int i = 0; i < 3; ++i) work();
      c10::cuda::device_synchronize();
      graph_.capture_begin();
      work();
      graph_.capture_end();
    }
    c10::cuda::device_synchronize();
  }

  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

class CudaAccelerator : public WithOperators<Accelerator> {
 public:
  std::vector<DeviceFacts> devices() const override {
    std::vector<DeviceFacts> all;
    for (int i = 0; i < c10::cuda::device_count(); ++i) {
      cudaDeviceProp properties{};
      C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, i));
      all.push_back({properties.name, static_cast<int64_t>(properties.totalGlobalMem), properties.major,
                     properties.minor});
    }
    return all;
  }

  void choose(int index) override {
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
    auto& context = at::globalContext();
    context.lazyInitDevice(c10::kCUDA);
    context.setDeterministicCuDNN(true);
    context.setAllowTF32CuDNN(false);
    context.setAllowTF32CuBLAS(false);
  }

  void wait() override { c10::cuda::device_synchronize(); }

  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    return std::make_unique<GraphRecording>(work);
  }
};

}  // namespace
}  // namespace w2w::cuda

/// The plug-in's only symbol. Null, with the end of a sentence in `problem`, where no device can be used.
extern "C" __attribute__((visibility("default"))) w2w::Accelerator* w2w_accelerator(std::string& problem) {
  static w2w::cuda::CudaAccelerator accelerator;
  int count = 0;
  if (const auto error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    problem = std::string("the NVIDIA driver says: ") + cudaGetErrorString(error);
    return nullptr;
  }
  if (count == 0) {
    problem = "there is no NVIDIA GPU";
    return nullptr;
  }
  return &accelerator;
}
