#include "w2w/base/generator.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/uniform.h>

#include <array>
#include <cmath>
#include <mutex>

namespace w2w {
namespace {

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): ten rounds on a 128-bit
/// counter.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, uint64_t seed) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

/// torch's CUDA randn as long as every value has a thread of its own (up to about 200,000 values on any
/// card): in the n-th call after seeding, thread i takes the first normal of curand's Philox at subsequence
/// i, offset n.
at::Tensor philox_randn(at::IntArrayRef shape, uint64_t seed, uint32_t call) {
  auto values = at::empty(shape, at::kFloat);
  float* out = values.data_ptr<float>();
  constexpr float two_to_minus_32 = 2.3283064e-10F, two_pi_2_to_minus_32 = 2.3283064e-10F * 6.2831855F;
  for (int64_t i = 0; i < values.numel(); ++i) {
    const auto bits = philox({call, 0, static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32)}, seed);
    const float u = static_cast<float>(bits[0]) * two_to_minus_32 + two_to_minus_32 / 2;
    const float angle = static_cast<float>(bits[1]) * two_pi_2_to_minus_32 + two_pi_2_to_minus_32 / 2;
    out[i] = std::sqrt(-2.0F * std::log(u)) * std::sin(angle);  // Box-Muller, the sine half
  }
  return values;
}

}  // namespace

Generator::Generator(uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

at::Tensor Generator::randn(at::IntArrayRef shape) { return at::randn(shape, generator_, at::kFloat); }
at::Tensor Generator::rand(at::IntArrayRef shape) { return at::rand(shape, generator_, at::kFloat); }

int64_t Generator::randint(int64_t low, int64_t high) {
  return at::randint(low, high, {1}, generator_, at::kLong).item<int64_t>();
}

at::Tensor Generator::randperm(int64_t count) { return at::randperm(count, generator_, at::kLong); }

at::Tensor Generator::uniform(at::IntArrayRef shape, double low, double high) {
  return at::empty(shape, at::kFloat).uniform_(low, high, generator_);
}

at::Tensor Generator::state() const {
  std::lock_guard lock(generator_.mutex());
  return generator_.get_state();
}

void Generator::set_state(const at::Tensor& state) {
  std::lock_guard lock(generator_.mutex());
  generator_.set_state(state);
}

at::Tensor NoiseStream::randn(at::IntArrayRef shape) {
  return source_ == NoiseSource::cpu ? generator_.randn(shape) : philox_randn(shape, seed_, calls_++);
}

}  // namespace w2w
