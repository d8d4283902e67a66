// Checks the CUDA kernels against f64 on the host, then times them. Needs a GPU, nothing else:
//   nvcc -std=c++20 -O3 -arch=native -Isrc tests/cuda/kernels.cu src/cuda/*.cu -o kernels && ./kernels
// `--no-timing` leaves out the table.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "cuda/add_bias.h"
#include "cuda/geglu.h"
#include "cuda/group_norm.h"
#include "cuda/layer_norm.h"

using namespace w2w::cuda;

namespace {

int checks = 0, failures = 0;

void check(bool good, const std::string& what, double found, double bound) {
  ++checks;
  if (good) return;
  ++failures;
  std::printf("FAIL %s: %.3g, bound %.3g\n", what.c_str(), found, bound);
}

void must(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::printf("FAIL %s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}
#define MUST(call) must(call, #call)

// ---- element types on the host

size_t bytes_of(Element e) { return e == Element::f32 ? 4 : 2; }
const char* name_of(Element e) { return e == Element::f32 ? "f32" : e == Element::f16 ? "f16" : "bf16"; }

/// Of a result computed in f32 and rounded once: half a unit in the last place of f16 is 4.9e-4, of bf16
/// 3.9e-3; in f32 the sums, exp and erf add a few units of 1.2e-7.
double bound_of(Element e) { return e == Element::f32 ? 2e-6 : e == Element::f16 ? 1e-3 : 8e-3; }

double value_at(const void* data, size_t i, Element e) {
  if (e == Element::f16) return __half2float(static_cast<const __half*>(data)[i]);
  if (e == Element::bf16) return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
  return static_cast<const float*>(data)[i];
}

/// On host and device: `size` values, `shift` elements off alignment, and beyond them a guard that no kernel
/// may touch. All bytes 0xFF, a NaN in each type, until written.
class Array {
 public:
  Array(size_t size, Element element, size_t shift = 0)
      : size_(size),
        element_(element),
        shift_(shift),
        host_((size + shift) * bytes_of(element) + kGuard, '\xff') {
    MUST(cudaMalloc(&device_, host_.size()));
    poison();
  }
  ~Array() { cudaFree(device_); }
  Array(const Array&) = delete;

  void poison() { MUST(cudaMemset(device_, 0xff, host_.size())); }

  /// Nearly normal values, rounded to the type.
  void fill(double mean, double deviation) {
    char* data = host_.data() + shift_ * bytes_of(element_);
    for (size_t i = 0; i < size_; ++i) {
      double sum = -6;
      for (int k = 0; k < 12; ++k) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        sum += double(state_ >> 40) / (1 << 24);
      }
      const auto x = float(mean + deviation * sum);
      if (element_ == Element::f32) reinterpret_cast<float*>(data)[i] = x;
      if (element_ == Element::f16) reinterpret_cast<__half*>(data)[i] = __float2half(x);
      if (element_ == Element::bf16) reinterpret_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16(x);
    }
    MUST(cudaMemcpy(device_, host_.data(), host_.size(), cudaMemcpyHostToDevice));
  }

  std::vector<char> fetch(const std::string& what) {
    MUST(cudaMemcpy(host_.data(), device_, host_.size(), cudaMemcpyDeviceToHost));
    const auto untouched = std::all_of(host_.end() - kGuard, host_.end(), [](char c) { return c == '\xff'; });
    check(untouched, what + " wrote past its end", 1, 0);
    return host_;
  }

  double operator[](size_t i) const {
    return value_at(host_.data() + shift_ * bytes_of(element_), i, element_);
  }
  size_t size() const { return size_; }
  operator void*() const { return static_cast<char*>(device_) + shift_ * bytes_of(element_); }
  operator float*() const { return static_cast<float*>(device_); }

 private:
  static constexpr size_t kGuard = 256;
  static inline uint64_t state_ = 20260101;
  size_t size_;
  Element element_;
  size_t shift_;
  std::vector<char> host_;
  void* device_ = nullptr;
};

double norm(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

/// ||found - expected|| <= bound * scale. Not-a-number fails.
void compare(const Array& found, const std::vector<double>& expected, double scale, double bound,
             const std::string& what) {
  double sum = 0;
  for (size_t i = 0; i < expected.size(); ++i) sum += std::pow(found[i] - expected[i], 2);
  const double error = std::sqrt(sum) / (scale > 0 ? scale : 1);
  check(error <= bound, what, error, bound);
}

/// Runs twice, each time over poison, and leaves the result in `outputs`.
void run_twice(const std::vector<Array*>& outputs, const std::function<cudaError_t()>& launch,
               const std::string& what) {
  std::vector<std::vector<char>> first;
  for (int pass = 0; pass < 2; ++pass) {
    for (auto* output : outputs) output->poison();
    must(launch(), what.c_str());
    MUST(cudaDeviceSynchronize());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto bytes = outputs[i]->fetch(what);
      if (pass == 0) {
        first.push_back(bytes);
      } else {
        check(bytes == first[i], what + " differs between runs", 1, 0);
      }
    }
  }
}

// ---- GroupNorm

struct NormCase {
  GroupNormShape shape;
  double mean = 0;
  size_t shift = 0;
};

void test_group_norm(const NormCase& c, Element e, bool silu) {
  const auto& s = c.shape;
  const auto what = "group_norm " + std::string(name_of(e)) + (silu ? " silu " : " ") +
                    std::to_string(s.batch) + "x" + std::to_string(s.pixels) + "x" +
                    std::to_string(s.channels) + "/" + std::to_string(s.groups) + " mean " +
                    std::to_string(int(c.mean));
  const size_t size = s.batch * s.pixels * s.channels, statistics = s.batch * s.groups;
  Array x(size, e, c.shift), dy(size, e), y(size, e), dx(size, e), weight(s.channels, e), bias(s.channels, e);
  Array mean(statistics, Element::f32), rstd(statistics, Element::f32);
  Array workspace(group_norm_workspace(s), Element::f32);
  x.fill(c.mean, 1), dy.fill(0, 1), weight.fill(1, 0.5), bias.fill(0, 0.5);

  run_twice(
      {&y, &mean, &rstd},
      [&] {
        workspace.poison();
        return group_norm(s, x, weight, bias, y, mean, rstd, workspace, silu, e, nullptr);
      },
      what);
  workspace.fetch(what + " workspace");
  run_twice(
      {&dx},
      [&] {
        workspace.poison();
        return group_norm_backward(s, dy, x, weight, bias, mean, rstd, dx, workspace, silu, e, nullptr);
      },
      what + " backward");
  workspace.fetch(what + " backward workspace");

  const size_t width = s.channels / s.groups, n = width * s.pixels;
  std::vector<double> y_ref(size), dx_ref(size), g(size), z(size), mean_ref(statistics), rstd_ref(statistics);
  for (size_t group = 0; group < statistics; ++group) {
    const size_t origin = group / s.groups * s.pixels * s.channels, first = group % s.groups * width;
    const auto each = [&](auto&& f) {
      for (int64_t p = 0; p < s.pixels; ++p) {
        for (size_t i = 0; i < width; ++i) f(origin + p * s.channels + first + i, first + i);
      }
    };
    double sum = 0, square = 0, sum_g = 0, sum_gz = 0;
    each([&](size_t i, size_t) { sum += x[i]; });
    each([&](size_t i, size_t) { square += std::pow(x[i] - sum / n, 2); });
    const double r = 1 / std::sqrt(square / n + s.eps);
    mean_ref[group] = sum / n, rstd_ref[group] = r;
    each([&](size_t i, size_t channel) {
      z[i] = (x[i] - sum / n) * r;
      const double u = z[i] * weight[channel] + bias[channel], sigmoid = 1 / (1 + std::exp(-u));
      y_ref[i] = silu ? u * sigmoid : u;
      g[i] = dy[i] * (silu ? sigmoid * (1 + u * (1 - sigmoid)) : 1) * weight[channel] * r;
      sum_g += g[i], sum_gz += g[i] * z[i];
    });
    each([&](size_t i, size_t) { dx_ref[i] = g[i] - sum_g / n - z[i] * sum_gz / n; });
  }
  // x - mean inherits the rounding of a mean held in f32: 30 values of 6e-8 at mean 30.
  const double bound = bound_of(e) + 1e-7 * std::abs(c.mean);
  compare(mean, mean_ref, std::sqrt(double(statistics)), 1e-6 + 1e-7 * std::abs(c.mean), what + " mean");
  compare(rstd, rstd_ref, norm(rstd_ref), 2e-6, what + " rstd");
  compare(y, y_ref, norm(y_ref), bound, what);
  // dx is g less its projections; of one or two values a group these leave next to nothing.
  compare(dx, dx_ref, norm(n < 16 ? g : dx_ref), bound, what + " backward");
}

// ---- GEGLU

void test_geglu(int64_t rows, int64_t width, size_t shift, Element e) {
  const auto what =
      "geglu " + std::string(name_of(e)) + " " + std::to_string(rows) + "x" + std::to_string(width);
  Array x(rows * 2 * width, e, shift), dy(rows * width, e), y(rows * width, e), dx(rows * 2 * width, e);
  x.fill(0, 1.5), dy.fill(0, 1);
  run_twice(
      {&y}, [&] { return geglu(rows, width, x, y, e, nullptr); }, what);
  run_twice(
      {&dx}, [&] { return geglu_backward(rows, width, x, dy, dx, e, nullptr); }, what + " backward");

  std::vector<double> y_ref(y.size()), dx_ref(dx.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < width; ++j) {
      const size_t at = row * width + j, value = row * 2 * width + j, gate = value + width;
      const double u = x[gate], cdf = 0.5 * std::erfc(-u * std::sqrt(0.5));
      const double density = std::exp(-0.5 * u * u) / std::sqrt(2 * std::acos(-1.0));
      y_ref[at] = x[value] * u * cdf;
      dx_ref[value] = dy[at] * u * cdf;
      dx_ref[gate] = dy[at] * x[value] * (cdf + u * density);
    }
  }
  compare(y, y_ref, norm(y_ref), bound_of(e), what);
  compare(dx, dx_ref, norm(dx_ref), bound_of(e), what + " backward");
}

// ---- LayerNorm, and what precedes it

void test_layer_norm(int64_t rows, int64_t width, bool added, double shift, Element e) {
  const auto what = "layer_norm " + std::string(name_of(e)) + (added ? " of a sum " : " ") +
                    std::to_string(rows) + "x" + std::to_string(width) + " mean " +
                    std::to_string(int(shift));
  constexpr float eps = 1e-5f;
  const size_t size = rows * width;
  Array x(size, e), addend(size, e), sum(size, e), y(size, e), dy(size, e), dsum(size, e), dx(size, e),
      weight(width, e), bias(width, e), mean(rows, Element::f32), rstd(rows, Element::f32);
  x.fill(shift, 1), addend.fill(0, 1), dy.fill(0, 1), dsum.fill(0, 1), weight.fill(1, 0.5), bias.fill(0, 0.5);
  const auto forward = [&] {
    return layer_norm(rows, width, eps, x, added ? static_cast<void*>(addend) : nullptr, weight, bias, sum, y,
                      mean, rstd, e, nullptr);
  };
  if (added) {
    run_twice({&sum, &y, &mean, &rstd}, forward, what);
  } else {
    run_twice({&y, &mean, &rstd}, forward, what);
  }
  const auto& of = added ? sum : x;
  run_twice(
      {&dx},
      [&] {
        return layer_norm_backward(rows, width, dy, added ? static_cast<void*>(dsum) : nullptr, of, weight,
                                   mean, rstd, dx, e, nullptr);
      },
      what + " backward");

  std::vector<double> sum_ref(size), y_ref(size), dx_ref(size), mean_ref(rows), rstd_ref(rows);
  for (int64_t row = 0; row < rows; ++row) {
    const size_t begin = row * width;
    const auto mean_over_row = [&](auto&& value) {
      double total = 0;
      for (int64_t j = 0; j < width; ++j) total += value(begin + j, j);
      return total / width;
    };
    for (size_t i = begin; i < begin + width; ++i) sum_ref[i] = x[i] + (added ? addend[i] : 0);
    const double m = mean_over_row([&](size_t i, int64_t) { return sum_ref[i]; });
    const double r =
        1 / std::sqrt(mean_over_row([&](size_t i, int64_t) { return std::pow(sum_ref[i] - m, 2); }) + eps);
    mean_ref[row] = m, rstd_ref[row] = r;
    const auto d = [&](size_t i) { return (sum_ref[i] - m) * r; };
    const auto g = [&](size_t i, int64_t j) { return dy[i] * weight[j]; };
    const double mean_g = mean_over_row(g);
    const double mean_gd = mean_over_row([&](size_t i, int64_t j) { return g(i, j) * d(i); });
    for (int64_t j = 0; j < width; ++j) {
      const size_t i = begin + j;
      y_ref[i] = d(i) * weight[j] + bias[j];
      dx_ref[i] = r * (g(i, j) - mean_g - d(i) * mean_gd) + (added ? dsum[i] : 0);
    }
  }
  const double bound = bound_of(e) + 1e-7 * std::abs(shift);
  if (added) compare(sum, sum_ref, norm(sum_ref), bound_of(e), what + " sum");
  compare(mean, mean_ref, std::sqrt(double(rows)), 1e-6 + 1e-7 * std::abs(shift), what + " mean");
  compare(rstd, rstd_ref, norm(rstd_ref), 2e-6, what + " rstd");
  compare(y, y_ref, norm(y_ref), bound, what);
  // The sum that the backward kernel reads was rounded to the type.
  compare(dx, dx_ref, norm(dx_ref), bound * (1 + std::abs(shift) / 2), what + " backward");
}

// ---- what follows a convolution

void test_add_bias(int64_t pixels, int64_t channels, int64_t shared, Element e) {
  const auto what = "add_bias " + std::string(name_of(e)) + " " + std::to_string(pixels) + "x" +
                    std::to_string(channels) + " by " + std::to_string(shared);
  Array x(pixels * channels, e), bias(channels, e), addend(pixels / shared * channels, e),
      y(pixels * channels, e);
  x.fill(0, 1), bias.fill(0, 1), addend.fill(0, 1);
  run_twice(
      {&y}, [&] { return add_bias(pixels, channels, shared, x, bias, addend, y, e, nullptr); }, what);
  std::vector<double> y_ref(y.size());
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < channels; ++c) {
      y_ref[p * channels + c] = x[p * channels + c] + bias[c] + addend[p / shared * channels + c];
    }
  }
  compare(y, y_ref, norm(y_ref), bound_of(e), what);
}

// ---- timing

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
void print_time(const std::string& what, double forward_us, double forward_bytes, double backward_us,
                double backward_bytes) {
  std::printf("%-28s %9.2f us %7.0f GB/s   backward %9.2f us %7.0f GB/s\n", what.c_str(), forward_us,
              forward_bytes / forward_us / 1e3, backward_us, backward_bytes / backward_us / 1e3);
}

void time_group_norm(const GroupNormShape& s) {
  const auto e = Element::bf16;
  const size_t size = s.batch * s.pixels * s.channels;
  Array x(size, e), dy(size, e), y(size, e), weight(s.channels, e), bias(s.channels, e);
  Array mean(s.batch * s.groups, Element::f32), rstd(s.batch * s.groups, Element::f32);
  Array workspace(group_norm_workspace(s), Element::f32);
  for (auto* array : {&x, &dy, &y}) MUST(cudaMemset(*array, 0, size * 2));
  const double forward = time_of(
      [&](cudaStream_t t) { return group_norm(s, x, weight, bias, y, mean, rstd, workspace, true, e, t); });
  const double backward = time_of([&](cudaStream_t t) {
    return group_norm_backward(s, dy, x, weight, bias, mean, rstd, y, workspace, true, e, t);
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
  Array x(size, e), addend(size, e), sum(size, e), y(size, e), dx(size, e), weight(width, e), bias(width, e),
      mean(rows, Element::f32), rstd(rows, Element::f32);
  for (auto* array : {&x, &addend}) MUST(cudaMemset(*array, 0, size * 2));
  const double forward = time_of([&](cudaStream_t t) {
    return layer_norm(rows, width, 1e-5f, x, addend, weight, bias, sum, y, mean, rstd, e, t);
  });
  const double backward = time_of([&](cudaStream_t t) {
    return layer_norm_backward(rows, width, x, addend, sum, weight, mean, rstd, dx, e, t);
  });
  print_time("layer_norm of a sum " + std::to_string(rows) + "x" + std::to_string(width), forward, 8.0 * size,
             backward, 8.0 * size);
}

void time_add_bias(int64_t pixels, int64_t channels) {
  const auto e = Element::bf16;
  const size_t size = pixels * channels;
  Array x(size, e), addend(size, e), y(size, e), bias(channels, e);
  for (auto* array : {&x, &addend}) MUST(cudaMemset(*array, 0, size * 2));
  const double forward =
      time_of([&](cudaStream_t t) { return add_bias(pixels, channels, 1, x, bias, addend, y, e, t); });
  print_time("add_bias " + std::to_string(pixels) + "x" + std::to_string(channels), forward, 6.0 * size, 0,
             0);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr float eps = 1e-5f;
  const NormCase norms[] = {
      // UNet and VAE, in one launch and in two
      {{2, 4096, 320, 32, eps}},
      {{2, 64, 1280, 32, eps}},
      {{2, 256, 1920, 32, eps}},
      {{1, 1024, 640, 32, eps}},
      {{1, 1024, 2560, 32, eps}},
      {{1, 4096, 960, 32, eps}},
      {{1, 16384, 128, 32, eps}},
      {{1, 9216, 256, 32, eps}},
      {{64, 9, 320, 32, eps}},
      // one pixel; groups of one channel, of seven and nine (vectors across groups), of hundreds
      {{3, 1, 320, 32, eps}},
      {{1, 1, 32, 32, eps}},
      {{2, 53, 56, 8, eps}},
      {{2, 37, 72, 8, eps}},
      {{1, 5, 2560, 2, eps}},
      // small and odd groups, which fewer types can take 16 bytes at a time
      {{3, 17, 32, 8, eps}},
      {{1, 333, 64, 32, eps}},
      {{2, 101, 36, 4, eps}},
      {{3, 7919, 96, 32, eps}},
      {{2, 7919, 40, 40, eps}},
      {{2, 100, 320, 32, eps}, 0, 1},
      // a mean far from 0
      {{2, 1021, 320, 32, eps}, 30},
      {{2, 16411, 128, 32, eps}, 30},
      {{1, 4099, 36, 4, eps}, -30},
  };
  for (const auto e : {Element::f32, Element::f16, Element::bf16}) {
    for (const auto& c : norms) {
      for (const bool silu : {false, true}) test_group_norm(c, e, silu);
    }
    test_geglu(256, 1280, 0, e);
    test_geglu(77, 24, 0, e);
    test_geglu(3, 37, 0, e);
    test_geglu(1, 1, 0, e);
    test_geglu(5, 64, 1, e);
    for (const bool added : {false, true}) {
      for (const int64_t width : {320, 640, 768, 1280, 8, 24, 1000}) test_layer_norm(77, width, added, 0, e);
      test_layer_norm(4096, 320, added, 0, e);
      test_layer_norm(1, 1280, added, 30, e);
    }
    test_add_bias(4096, 320, 1, e);
    test_add_bias(2 * 1021, 640, 1021, e);
    test_add_bias(3 * 17, 36, 17, e);
    test_add_bias(51, 7, 1, e);
  }
  const auto status_of = [](const GroupNormShape& s) {
    return group_norm(s, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, false, Element::f32,
                      nullptr);
  };
  check(status_of({1, 4, 10, 3, eps}) == cudaErrorInvalidValue, "groups that do not divide", 1, 0);
  check(status_of({0, 4, 12, 3, eps}) == cudaSuccess, "an empty batch", 1, 0);
  check(geglu(0, 8, nullptr, nullptr, Element::f16, nullptr) == cudaSuccess, "no rows", 1, 0);
  check(!layer_norm_takes(36, Element::bf16) && layer_norm_takes(36, Element::f32) &&
            !layer_norm_takes(4096, Element::bf16),
        "widths of layer_norm", 1, 0);
  std::printf("%s: %d checks, %d failed\n", failures == 0 ? "ok" : "FAIL", checks, failures);

  if (argc < 2 || std::strcmp(argv[1], "--no-timing") != 0) {
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
    time_add_bias(8192, 320), time_add_bias(2048, 640), time_add_bias(512, 1280);
  }
  return failures == 0 ? 0 : 1;
}
