#pragma once
// PEFT's rank_pattern and alpha_pattern: regular expressions of module names, and a number for each.

#include <string>
#include <utility>
#include <vector>

namespace w2w {

class PeftPattern {
 public:
  PeftPattern() = default;
  /// Expressions and their numbers in the order of the file. `where` is for errors: Error(malformed) for what
  /// is no regular expression.
  PeftPattern(std::vector<std::pair<std::string, double>> entries, const std::string& where);

  /// The number of the first expression that matches as PEFT matches it (get_pattern_key):
  /// re.match(rf"(.*\.)?({expression})$", module).
  double value_of(const std::string& module, double otherwise) const;

 private:
  std::string where_;
  std::vector<std::pair<std::string, double>> entries_;
};

}  // namespace w2w
