#include "plugin.h"

#include "cuda/operators.h"

namespace w2w::test {

using at::Tensor;

Tensor HostPlugin::group_norm(const Tensor& x, const Shift& shift, int64_t groups, const Tensor& weight,
                              const Tensor& bias, double eps, bool silu) {
  return cuda::group_norm(x, shift, groups, weight, bias, eps, silu);
}

Tensor HostPlugin::convolution(const Tensor& x, const Tensor& weight, const Tensor& bias,
                               const Tensor& addend, int64_t stride, int64_t padding) {
  return cuda::convolution(x, weight, bias, addend, stride, padding);
}

Tensor HostPlugin::linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& addend) {
  return cuda::linear_plus(x, weight, bias, addend);
}

Tensor HostPlugin::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  return cuda::layer_norm(x, weight, bias, eps);
}

Tensor HostPlugin::geglu(const Tensor& x) { return cuda::geglu(x); }

Tensor HostPlugin::upsample(const Tensor& x, at::IntArrayRef size) { return cuda::upsample(x, size); }

}  // namespace w2w::test
