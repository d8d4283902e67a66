#include "io/value_inspector.h"

#include <fmt/format.h>

#include <algorithm>

#include "w2w/base/error.h"

namespace w2w {
namespace {

constexpr int deepest = 100;
constexpr uint64_t most_values = 100'000'000;

}  // namespace

ValueInspector::Extent ValueInspector::visit(const Value& value, int depth) {
  const void* address = value.address();
  if (!address) return {0, 1};
  if (depth > deepest) fail(fmt::format("its data is nested deeper than {}", deepest));
  if (const auto [known, fresh] = extents_.try_emplace(address); !fresh) {
    if (known->second.values == 0) fail("its data contains itself");
    if (depth + known->second.height > deepest)
      fail(fmt::format("its data is nested deeper than {}", deepest));
    return known->second;
  }
  Extent extent{0, 1};
  for (const Value* child : value.children()) {
    const Extent inner = visit(*child, depth + 1);
    extent.height = std::max(extent.height, inner.height + 1);
    extent.values += inner.values;
    if (extent.values > most_values)
      fail(fmt::format("its data expands to more than {} values", most_values));
  }
  return extents_[address] = extent;
}

void ValueInspector::fail(const std::string& what) const {
  throw Error(ErrorKind::malformed, "not a readable pickle (" + where_ + "): " + what);
}

}  // namespace w2w
