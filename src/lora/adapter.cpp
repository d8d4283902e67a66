#include "w2w/lora/adapter.h"

#include <ATen/ops/empty_like.h>

#include "w2w/base/error.h"
#include "w2w/device/accelerator.h"
#include "w2w/lora/algebra.h"

namespace w2w {

void Adapter::apply(const Lora& lora) {
  for (const auto& [module, factors] : lora) {
    if (!parameters_.contains(module + ".weight")) {
      throw Error(ErrorKind::failure,
                  "LoRA does not fit the model: it changes " + module + ", which the model does not have");
    }
  }
  std::erase_if(touched_, [&](const auto& entry) {
    const auto& [module, touched] = entry;
    if (lora.contains(module)) return false;
    const auto& live = parameters_.at(module + ".weight");
    if (touched.baked.is_same(live)) {
      live.copy_(touched.base);
    } else {
      live.set_data(touched.base);
    }
    return true;
  });
  for (const auto& [module, factors] : lora) {
    const auto& live = parameters_.at(module + ".weight");
    auto [entry, is_new] = touched_.try_emplace(module);
    auto& touched = entry->second;
    if (is_new) {
      // What is recorded for a device reads the weights where they are.
      touched =
          accelerator_of(live) ? Touched{live.clone(), live} : Touched{live.alias(), at::empty_like(live)};
    }
    bake(touched.baked, touched.base, factors);
    if (!touched.baked.is_same(live)) live.set_data(touched.baked);
  }
}

}  // namespace w2w
