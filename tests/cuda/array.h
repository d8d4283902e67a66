#pragma once
// Values on host and device for the checks and timings of the CUDA kernels.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cuda/element.h"

using w2w::cuda::Element;

inline int checks = 0, failures = 0;

/// Counts, and prints what is not good.
inline void check(bool good, const std::string& what, double found, double bound) {
  ++checks;
  if (good) return;
  ++failures;
  std::printf("FAIL %s: %.3g, bound %.3g\n", what.c_str(), found, bound);
}

inline void must(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::printf("FAIL %s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}
#define MUST(call) must(call, #call)

inline size_t bytes_of(Element e) { return e == Element::f32 ? 4 : 2; }
inline const char* name_of(Element e) {
  return e == Element::f32 ? "f32" : e == Element::f16 ? "f16" : "bf16";
}

inline double value_at(const void* data, size_t i, Element e) {
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

  double operator[](std::integral auto i) const {
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
