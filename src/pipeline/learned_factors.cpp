#include "w2w/pipeline/learned_factors.h"

#include <ATen/core/IListRef.h>
#include <ATen/ops/cat.h>
#include <torch/csrc/autograd/autograd.h>

namespace w2w {

LearnedFactors::LearnedFactors(const UNet& unet, const Layout& layout, const Tensor& theta,
                               at::ScalarType dtype)
    : unet_(unet), layout_(layout) {
  for (const auto& [module, factors] : layout_.factors(theta.detach().to(dtype))) {
    auto& branch = *unet_.branches().at(module);
    const auto learned = [&](const Tensor& factor) {
      leaves_.push_back(factor.detach().set_requires_grad(true));
      return leaves_.back();
    };
    branch.down = learned(factors.down);
    branch.up = learned(factors.up);
    branch.scale = factors.scale;
  }
}

LearnedFactors::~LearnedFactors() {
  for (const auto& target : layout_.targets()) *unet_.branches().at(target.module) = {};
}

Tensor LearnedFactors::gradient(const Tensor& loss) const {
  auto parts = torch::autograd::grad({loss}, leaves_);  // in the order of theta, as modules are in its layout
  for (auto& part : parts) part = part.flatten(-2);
  return at::cat(parts, -1).to(at::kFloat);
}

}  // namespace w2w
