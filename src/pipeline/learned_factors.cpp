#include "w2w/pipeline/learned_factors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/autograd.h>

namespace w2w {

LearnedFactors::LearnedFactors(const UNet& unet, const Layout& layout, const Tensor& theta,
                               at::ScalarType dtype)
    : unet_(unet), layout_(layout), like_(theta) {
  for (const auto& [module, factors] : layout_.factors(theta)) {
    auto& branch = *unet_.branches().at(module);
    const auto learned = [&](const Tensor& factor) {
      leaves_.push_back(factor.detach().contiguous().set_requires_grad(true));
      return leaves_.back().to(dtype);
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
  const auto gradients = torch::autograd::grad({loss}, leaves_);
  const auto theta = at::empty_like(like_);
  auto next = gradients.begin();
  for (const auto& [module, factors] : layout_.factors(theta)) {
    factors.down.copy_(*next++);
    factors.up.copy_(*next++);
  }
  return theta;
}

}  // namespace w2w
