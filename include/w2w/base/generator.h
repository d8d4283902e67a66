#pragma once
// Random numbers as Python's torch draws them. Draw in f32 on the CPU and cast afterwards: then a seed means
// the same picture on every device and dtype.

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace w2w {

/// torch.Generator("cpu").manual_seed(seed).
class Generator {
 public:
  explicit Generator(uint64_t seed);
  /// A copy goes on by itself: both draw the same numbers.
  Generator(const Generator& other) : generator_(other.generator_.clone()) {}
  Generator& operator=(const Generator& other) {
    generator_ = other.generator_.clone();
    return *this;
  }

  /// torch.randn(shape, generator=self), f32.
  at::Tensor randn(at::IntArrayRef shape);
  /// torch.rand(shape, generator=self), f32.
  at::Tensor rand(at::IntArrayRef shape);
  /// torch.randperm(count, generator=self), i64.
  at::Tensor randperm(int64_t count);
  /// torch.randint(low, high, (1,), generator=self).item().
  int64_t randint(int64_t low, int64_t high);

  /// torch.empty(shape).uniform_(low, high, generator=self), f32.
  at::Tensor uniform(at::IntArrayRef shape, double low, double high);

  /// The whole state (torch.Generator.get_state), a uint8 tensor, for checkpoints.
  at::Tensor state() const;
  void set_state(const at::Tensor& state);

 private:
  mutable at::Generator generator_;  // its mutex is not const
};

/// Which stream the picture noise comes from.
enum class NoiseSource {
  cpu,   ///< torch's CPU generator (Mersenne Twister)
  cuda,  ///< the Philox4x32-10 stream of a CUDA generator, computed on the CPU
};

/// Successive torch.randn(shape) draws of a generator freshly seeded with `seed`, f32 on the CPU.
class NoiseStream {
 public:
  NoiseStream(uint64_t seed, NoiseSource source) : seed_(seed), source_(source), generator_(seed) {}
  at::Tensor randn(at::IntArrayRef shape);

 private:
  uint64_t seed_;
  NoiseSource source_;
  Generator generator_;
  uint32_t calls_ = 0;
};

}  // namespace w2w
