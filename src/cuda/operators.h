#pragma once
// The kernels as differentiable operators of tensors.

#include "w2w/device/accelerator.h"

namespace w2w::cuda {

/// As the functions of these names of Accelerator (base/accelerator.h).
at::Tensor group_norm(const at::Tensor& x, const Shift& shift, int64_t groups, const at::Tensor& weight,
                      const at::Tensor& bias, double eps, bool silu);
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& addend, int64_t stride, int64_t padding);
at::Tensor linear_plus(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& addend);
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps);
at::Tensor geglu(const at::Tensor& x);
at::Tensor upsample(const at::Tensor& x, at::IntArrayRef size);

/// An accelerator with these operators.
template <class Base>
class WithOperators : public Base {
 public:
  at::Tensor group_norm(const at::Tensor& x, const Shift& shift, int64_t groups, const at::Tensor& weight,
                        const at::Tensor& bias, double eps, bool silu) override {
    return cuda::group_norm(x, shift, groups, weight, bias, eps, silu);
  }
  at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& addend, int64_t stride, int64_t padding) override {
    return cuda::convolution(x, weight, bias, addend, stride, padding);
  }
  at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const at::Tensor& addend) override {
    return cuda::linear_plus(x, weight, bias, addend);
  }
  at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        double eps) override {
    return cuda::layer_norm(x, weight, bias, eps);
  }
  at::Tensor geglu(const at::Tensor& x) override { return cuda::geglu(x); }
  at::Tensor upsample(const at::Tensor& x, at::IntArrayRef size) override { return cuda::upsample(x, size); }
};

}  // namespace w2w::cuda
