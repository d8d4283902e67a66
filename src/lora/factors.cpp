#include "w2w/lora/factors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace w2w {

std::string first_modules(const Lora& lora) {
  std::vector<std::string> shown;
  for (const auto& [module, factors] : lora) {
    if (shown.size() < 3) shown.push_back(module);
  }
  return fmt::format("{}{}", fmt::join(shown, ", "), shown.size() < lora.size() ? ", ..." : "");
}

}  // namespace w2w
