// weight_dimensions.pt: a dict from the name of each factor, in flatten order, to (element count, shape). The
// reference code takes entry[0][0] as the count and entry[1] as the shape, so the count is the first of a
// sequence there (torch.Size, tuple or list); a plain number, a numpy scalar and a tensor of one element say
// the same. The spelling of its names is published nowhere.

#include "weight_dimensions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/io/torch_value.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// A number, also as a tensor of one element or alone in a sequence.
std::optional<int64_t> count_in(const Value& value) {
  if (const auto number = value.integer()) return number;
  if (const auto real = value.number(); real && *real >= 0 && *real <= 1e15 && *real == std::floor(*real))
    return static_cast<int64_t>(*real);
  if (const auto* tensor = value.tensor(); tensor && tensor->numel() == 1) return tensor->item<int64_t>();
  return value.list() && value.list()->size() == 1 ? count_in(value.list()->front()) : std::nullopt;
}

std::optional<int64_t> product_of(const Value& shape) {
  if (const auto* tensor = shape.tensor(); tensor && tensor->dim() == 1 && !tensor->is_floating_point())
    return tensor->prod().item<int64_t>();
  if (!shape.list() || shape.list()->empty()) return count_in(shape);
  int64_t product = 1;
  for (const auto& size : *shape.list()) {
    const auto count = count_in(size);
    if (!count || *count < 0 || __builtin_mul_overflow(product, *count, &product)) return std::nullopt;
  }
  return product;
}

/// (count, shape), a count alone, or a shape alone; nothing when count and shape disagree.
std::optional<int64_t> count_of(const Value& entry) {
  const List* pair = entry.list();
  if (!pair || pair->size() != 2 || (pair->back().integer() && pair->front().integer()))
    return product_of(entry);
  const auto count = count_in(pair->front()), product = product_of(pair->back());
  return count == product ? count : std::nullopt;
}

std::string key_text(const Value& key) {
  if (key.text()) return *key.text();
  return key.integer() ? std::to_string(*key.integer()) : key.description();
}

/// Factor 2 i of module i is A, 2 i + 1 is B.
int64_t expected_count(const Layout& layout, size_t factor) {
  const auto& target = layout.targets()[factor / 2];
  return layout.rank() * (factor % 2 == 0 ? target.in : target.out);
}

/// Which factor a name means in any spelling: dots or underscores, lora_A, lora.down, _lora_B, ..., with or
/// without a prefix and an adapter's name.
class NameReader {
 public:
  explicit NameReader(const Layout& layout) {
    for (size_t i = 0; i < layout.targets().size(); ++i)
      modules_[with_underscores(layout.targets()[i].module)] = i;
  }

  std::optional<size_t> read(const std::string& name) const {
    const auto plain = with_underscores(name);
    constexpr std::array<std::string_view, 4> parts = {"_lora_A", "_lora_B", "_lora_down", "_lora_up"};
    for (size_t part = 0; part < parts.size(); ++part) {
      const auto at = plain.rfind(parts[part]);
      if (at == std::string::npos) continue;
      auto module = plain.substr(0, at);
      for (const std::string_view prefix : {"lora_unet_", "base_model_model_", "unet_"})
        if (module.starts_with(prefix)) module.erase(0, prefix.size());
      if (const auto found = modules_.find(module); found != modules_.end())
        return 2 * found->second + part % 2;
    }
    return std::nullopt;
  }

 private:
  static std::string with_underscores(std::string text) {
    std::replace(text.begin(), text.end(), '.', '_');
    return text;
  }

  std::map<std::string, size_t> modules_;
};

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::failure,
              fmt::format("the released space was made for another model ({}): {}", path.string(), what),
              "choose the model the space was made with");
}

}  // namespace

std::vector<FactorCount> read_weight_dimensions(const fs::path& path) {
  const auto root = read_torch_file(path);
  const auto not_understood = [&](const std::string& what) {
    return Error(ErrorKind::malformed, fmt::format("{} ({})", what, path.string()));
  };
  if (!root.dict() || root.dict()->items.empty())
    throw not_understood("expected a dict of names and counts, found " + root.description());
  std::vector<FactorCount> entries;
  for (const auto& [key, value] : root.dict()->items) {
    const auto count = count_of(value);
    if (!count || *count < 1)
      throw not_understood(fmt::format("expected a count and a shape of as many values for '{}', found {}",
                                       key_text(key), value.description()));
    entries.push_back({key_text(key), *count});
  }
  return entries;
}

void check_weight_dimensions(const fs::path& path, const Layout& layout, const Run& run) {
  std::vector<FactorCount> entries;
  try {
    entries = read_weight_dimensions(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::malformed) throw;
    return run.warn(fmt::format("not used; the model gives the same information: {}", error.what()));
  }
  const size_t expected = 2 * layout.targets().size();
  for (size_t i = 0; i < std::min(expected, entries.size()); ++i) {
    if (entries[i].count == expected_count(layout, i)) continue;
    refuse(path, fmt::format("factor {} of {} should be lora_{} of {} with {} values, found '{}' with {}",
                             i + 1, expected, i % 2 == 0 ? 'A' : 'B', layout.targets()[i / 2].module,
                             expected_count(layout, i), entries[i].name, entries[i].count));
  }
  if (entries.size() != expected)
    refuse(path, fmt::format("expected {} factors, found {}", expected, entries.size()));
  const NameReader names(layout);
  for (size_t i = 0; i < expected; ++i) {
    const auto named = names.read(entries[i].name);
    if (!named) return;  // another model's names, or another spelling: the counts have decided
    if (*named == i) continue;
    return run.warn(
        fmt::format("{}: '{}' is in the place of {}; taken to be in the order of the model's names",
                    path.string(), entries[i].name, layout.targets()[i / 2].module));
  }
}

}  // namespace w2w
