// How long the CUDA kernels take at the shapes of Stable Diffusion 1.5. Needs a GPU, nothing else:
//   nvcc -std=c++20 -O3 -arch=native -Isrc tests/cuda/timings.cu src/cuda/*.cu -o timings && ./timings

#include <functional>

#include "array.h"
#include "cuda/add_bias.h"
#include "cuda/geglu.h"
#include "cuda/group_norm.h"
#include "cuda/layer_norm.h"
#include "cuda/unfold.h"
#include "cuda/upsample.h"

using namespace w2w::cuda;

namespace {

/// Microseconds of one launch: a graph of 20, the median of 5 replays. The same arrays each time: the small
/// ones lie in the L2 cache, as they do between the layers of a UNet.
double time_of(const std::function<cudaError_t(cudaStream_t)>& launch) {
  constexpr int kLaunches = 20;
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  cudaEvent_t begin, end;
  MUST(cudaStreamCreate(&stream));
  MUST(cudaEventCreate(&begin));
  MUST(cudaEventCreate(&end));
  MUST(launch(stream));
  MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  for (int i = 0; i < kLaunches; ++i) MUST(launch(stream));
  MUST(cudaStreamEndCapture(stream, &graph));
  MUST(cudaGraphInstantiate(&ready, graph, 0));
  MUST(cudaGraphLaunch(ready, stream));
  std::vector<float> milliseconds(5);
  for (auto& ms : milliseconds) {
    MUST(cudaEventRecord(begin, stream));
    MUST(cudaGraphLaunch(ready, stream));
    MUST(cudaEventRecord(end, stream));
    MUST(cudaEventSynchronize(end));
    MUST(cudaEventElapsedTime(&ms, begin, end));
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  MUST(cudaGraphExecDestroy(ready));
  MUST(cudaGraphDestroy(graph));
  MUST(cudaEventDestroy(begin));
  MUST(cudaEventDestroy(end));
  MUST(cudaStreamDestroy(stream));
  return milliseconds[2] * 1e3 / kLaunches;
}

/// GB/s count each array once: a second reading is the kernel's own business.
void print_time(const std::string& what, double forward_us, double forward_bytes, double backward_us = 0,
                double backward_bytes = 0) {
  std::printf("%-28s %9.2f us %7.0f GB/s", what.c_str(), forward_us, forward_bytes / forward_us / 1e3);
  if (backward_us > 0) {
    std::printf("   backward %9.2f us %7.0f GB/s", backward_us, backward_bytes / backward_us / 1e3);
  }
  std::printf("\n");
}

void time_group_norm(const GroupNormShape& s) {
  const auto e = Element::bf16;
  const size_t size = s.batch * s.pixels * s.channels;
  Array x(size, e), dy(size, e), y(size, e), weight(s.channels, e), bias(s.channels, e);
  Array mean(s.batch * s.groups, Element::f32), rstd(s.batch * s.groups, Element::f32);
  Array workspace(group_norm_workspace(s), Element::f32);
  for (auto* array : {&x, &dy, &y}) MUST(cudaMemset(*array, 0, size * 2));
  const double forward = time_of([&](cudaStream_t t) {
    return group_norm(s, x, {}, weight, bias, y, mean, rstd, workspace, true, e, t);
  });
  const double backward = time_of([&](cudaStream_t t) {
    return group_norm_backward(s, dy, x, {}, weight, bias, mean, rstd, y, workspace, true, e, t);
  });
  print_time("group_norm " + std::to_string(s.batch) + "x" + std::to_string(s.pixels) + "x" +
                 std::to_string(s.channels),
             forward, 4.0 * size, backward, 6.0 * size);
}

void time_geglu(int64_t rows, int64_t width) {
  const auto e = Element::bf16;
  const size_t size = rows * width;
  Array x(2 * size, e), dy(size, e), y(size, e), dx(2 * size, e);
  for (auto* array : {&x, &dy}) MUST(cudaMemset(*array, 0, array->size() * 2));
  const double forward = time_of([&](cudaStream_t t) { return geglu(rows, width, x, y, e, t); });
  const double backward =
      time_of([&](cudaStream_t t) { return geglu_backward(rows, width, x, dy, dx, e, t); });
  print_time("geglu " + std::to_string(rows) + "x" + std::to_string(width), forward, 6.0 * size, backward,
             10.0 * size);
}

void time_layer_norm(int64_t rows, int64_t width) {
  const auto e = Element::bf16;
  const size_t size = rows * width;
  Array x(size, e), y(size, e), dx(size, e), weight(width, e), bias(width, e), mean(rows, Element::f32),
      rstd(rows, Element::f32);
  MUST(cudaMemset(x, 0, size * 2));
  const double forward = time_of(
      [&](cudaStream_t t) { return layer_norm(rows, width, 1e-5f, x, weight, bias, y, mean, rstd, e, t); });
  const double backward = time_of(
      [&](cudaStream_t t) { return layer_norm_backward(rows, width, y, x, weight, mean, rstd, dx, e, t); });
  print_time("layer_norm " + std::to_string(rows) + "x" + std::to_string(width), forward, 4.0 * size,
             backward, 6.0 * size);
}

void time_add_bias(int64_t pixels, int64_t channels) {
  const auto e = Element::bf16;
  const size_t size = pixels * channels;
  Array x(size, e), addend(size, e), y(size, e), bias(channels, e);
  for (auto* array : {&x, &addend}) MUST(cudaMemset(*array, 0, size * 2));
  const double forward =
      time_of([&](cudaStream_t t) { return add_bias(pixels, channels, x, bias, addend, y, e, t); });
  print_time("add_bias " + std::to_string(pixels) + "x" + std::to_string(channels), forward, 6.0 * size);
}

void time_upsample(int64_t side, int64_t channels) {
  const auto e = Element::bf16;
  const size_t size = 2 * side * side * channels;
  Array x(size, e), y(4 * size, e);
  MUST(cudaMemset(x, 0, size * 2));
  const double forward = time_of(
      [&](cudaStream_t t) { return upsample(2, side, side, channels, 2 * side, 2 * side, x, y, e, t); });
  print_time("upsample " + std::to_string(side) + "x" + std::to_string(channels), forward, 10.0 * size);
}

void time_unfold(int64_t side, int64_t channels) {
  const auto e = Element::bf16;
  const size_t size = 2 * side * side * channels;
  Array x(size, e), y(9 * size, e);
  MUST(cudaMemset(x, 0, size * 2));
  const double forward =
      time_of([&](cudaStream_t t) { return unfold(2, side, side, channels, side, side, 1, 1, x, y, e, t); });
  print_time("unfold " + std::to_string(side) + "x" + std::to_string(channels), forward, 20.0 * size);
}

}  // namespace

int main() {
  constexpr float eps = 1e-5f;
  cudaDeviceProp device;
  MUST(cudaGetDeviceProperties(&device, 0));
  std::printf("%s, bf16, SiLU; bytes counted once\n", device.name);
  for (const auto& s : {GroupNormShape{2, 4096, 320, 32, eps},
                        {2, 1024, 640, 32, eps},
                        {2, 256, 1280, 32, eps},
                        {2, 64, 1280, 32, eps},
                        {2, 4096, 960, 32, eps},
                        {1, 262144, 128, 32, eps},
                        {1, 65536, 256, 32, eps}}) {
    time_group_norm(s);
  }
  time_geglu(8192, 1280), time_geglu(2048, 2560), time_geglu(512, 5120);
  time_layer_norm(8192, 320), time_layer_norm(2048, 640), time_layer_norm(512, 1280);
  time_upsample(32, 640), time_upsample(16, 1280);
  time_unfold(16, 1280), time_unfold(8, 1280), time_unfold(8, 2560);
  time_add_bias(8192, 320), time_add_bias(2048, 640), time_add_bias(512, 1280);
}
