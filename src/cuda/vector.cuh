#pragma once
// N neighbouring elements as one memory access: 16 bytes where N is kWide, a single element where N is 1.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <type_traits>

namespace w2w::cuda {

template <class T>
inline constexpr int kWide = 16 / sizeof(T);

/// Elements as they lie in memory: half the registers of their f32 values.
template <class T, int N>
using Raw = std::conditional_t<N == 1, T, uint4>;

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

__device__ inline void round_to(float& out, float x) { out = x; }
__device__ inline void round_to(__half& out, float x) { out = __float2half_rn(x); }
__device__ inline void round_to(__nv_bfloat16& out, float x) { out = __float2bfloat16_rn(x); }

// The elements of one 32-bit word: as 16-bit values of their own they would take a register each.
__device__ inline void unpack_word(float, unsigned word, float* out) { out[0] = __uint_as_float(word); }
__device__ inline void unpack_word(__half, unsigned word, float* out) {
  const float2 x = __half22float2(reinterpret_cast<const __half2&>(word));
  out[0] = x.x, out[1] = x.y;
}
__device__ inline void unpack_word(__nv_bfloat16, unsigned word, float* out) {
  out[0] = __uint_as_float(word << 16), out[1] = __uint_as_float(word & 0xffff0000);
}
__device__ inline unsigned pack_word(float, const float* x) { return __float_as_uint(x[0]); }
__device__ inline unsigned pack_word(__half, const float* x) {
  const auto pair = __floats2half2_rn(x[0], x[1]);
  return reinterpret_cast<const unsigned&>(pair);
}
__device__ inline unsigned pack_word(__nv_bfloat16, const float* x) {
  const auto pair = __floats2bfloat162_rn(x[0], x[1]);
  return reinterpret_cast<const unsigned&>(pair);
}

/// `from` is never written while the kernel runs: read through the non-coherent path.
template <class T, int N>
__device__ Raw<T, N> load(const T* from) {
  return __ldg(reinterpret_cast<const Raw<T, N>*>(from));
}

template <class T, int N>
__device__ void unpack(const Raw<T, N>& raw, float (&out)[N]) {
  if constexpr (N == 1) {
    out[0] = to_float(raw);
  } else {
    unpack_word(T(), raw.x, out);
    unpack_word(T(), raw.y, out + N / 4);
    unpack_word(T(), raw.z, out + N / 2);
    unpack_word(T(), raw.w, out + N / 4 * 3);
  }
}

template <class T, int N>
__device__ void store(T* to, const float (&x)[N]) {
  if constexpr (N == 1) {
    round_to(*to, x[0]);
  } else {
    *reinterpret_cast<uint4*>(to) = {pack_word(T(), x), pack_word(T(), x + N / 4), pack_word(T(), x + N / 2),
                                     pack_word(T(), x + N / 4 * 3)};
  }
}

}  // namespace w2w::cuda
