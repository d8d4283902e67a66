#pragma once
#include <string>
#include <unordered_map>

#include "w2w/io/torch_value.h"

namespace w2w {

/// Refuses trees that are unsafe to traverse: with cycles, nested deeper than 100, or with shared
/// parts that unfold to more than 100 million values. Each container is visited once.
class ValueInspector {
 public:
  /// `where` names the file in errors and must outlive the inspector.
  explicit ValueInspector(const std::string& where) : where_(where) {}

  /// Error(malformed) with the reason.
  void check(const Value& root) { visit(root, 0); }
  /// Whether a container is part of a tree that was checked.
  bool reached(const Value& container) const { return extents_.contains(container.address()); }

 private:
  struct Extent {
    int height = 0;
    uint64_t values = 0;  // 0 while the container is being visited
  };

  Extent visit(const Value& value, int depth);
  [[noreturn]] void fail(const std::string& what) const;

  const std::string& where_;
  std::unordered_map<const void*, Extent> extents_;
};

}  // namespace w2w
