#include "w2w/lora/target.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "w2w/base/error.h"

namespace w2w {

Targets linear_layers(const std::map<std::string, at::Tensor>& weights) {
  constexpr std::string_view weight = ".weight";
  Targets linears;
  for (const auto& [name, tensor] : weights) {
    if (tensor.dim() != 2 || !name.ends_with(weight)) continue;
    linears.push_back({name.substr(0, name.size() - weight.size()), tensor.size(1), tensor.size(0)});
  }
  return linears;
}

Targets attention_targets(const Targets& linears, const std::vector<std::string>& which) {
  Targets targets;
  for (const auto& linear : linears) {
    const auto is_of = [&](const std::string& name) { return linear.module.ends_with("." + name); };
    if (std::any_of(which.begin(), which.end(), is_of)) targets.push_back(linear);
  }
  if (targets.empty()) {
    throw Error(ErrorKind::failure, fmt::format("the model has no linear layers named {} among its {}",
                                                fmt::join(which, " or "), linears.size()));
  }
  std::sort(targets.begin(), targets.end(),
            [](const Target& a, const Target& b) { return a.module < b.module; });
  return targets;
}

void check_same_targets(const Targets& made_for, const Targets& model, const std::string& what) {
  const auto [a, b] = std::mismatch(made_for.begin(), made_for.end(), model.begin(), model.end());
  if (a == made_for.end() && b == model.end()) return;
  const auto describe = [](Targets::const_iterator at, const Targets& list) {
    return at == list.end() ? "none" : fmt::format("{} [{}, {}]", at->module, at->out, at->in);
  };
  throw Error(
      ErrorKind::failure,
      fmt::format("{} was made for another model: it changes {} matrices, this model has {}; the first "
                  "difference: expected {}, found {}",
                  what, made_for.size(), model.size(), describe(a, made_for), describe(b, model)),
      "choose the model the space was made with");
}

}  // namespace w2w
