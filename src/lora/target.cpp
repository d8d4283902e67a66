#include "w2w/lora/target.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w {
std::string_view kind_of(std::string_view module) {
  const auto last = module.rfind('.');
  if (last == module.npos || last == 0) return module;
  const auto before = module.rfind('.', last - 1);
  return before == module.npos ? module : module.substr(before + 1);
}

void sort_by_name(Targets& targets) {
  std::sort(targets.begin(), targets.end(),
            [](const Target& a, const Target& b) { return a.module < b.module; });
}

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
  sort_by_name(targets);
  return targets;
}

void check_layer_names(const Targets& linears, const std::vector<std::string>& which) {
  for (const auto& name : which) {
    if (std::any_of(linears.begin(), linears.end(),
                    [&](const Target& linear) { return linear.module.ends_with("." + name); }))
      continue;
    std::set<std::string> known;
    for (const auto& linear : linears) known.insert(linear.module.substr(linear.module.rfind('.') + 1));
    throw Error(ErrorKind::usage,
                fmt::format("the model has no linear layers named '{}' among its {}", name, linears.size()),
                suggest(name, {known.begin(), known.end()}));
  }
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

void check_targets_of(const Targets& made_for, const Targets& linears, int64_t layers,
                      const std::string& what) {
  if (layers != 0 && layers != static_cast<int64_t>(linears.size())) {
    throw Error(ErrorKind::failure,
                fmt::format("{} was made for another model: expected one of {} linear layers, found {}", what,
                            layers, linears.size()),
                "choose the model the space was made with");
  }
  std::set<std::string_view> names, kinds;
  for (const auto& target : made_for) {
    names.insert(target.module);
    if (layers == 0) kinds.insert(kind_of(target.module));
  }
  Targets counterparts;
  for (const auto& linear : linears) {
    if (names.contains(linear.module) || kinds.contains(kind_of(linear.module)))
      counterparts.push_back(linear);
  }
  sort_by_name(counterparts);
  check_same_targets(made_for, counterparts, what);
}

}  // namespace w2w
