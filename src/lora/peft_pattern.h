#pragma once
// PEFT's rank_pattern and alpha_pattern: regular expressions of module names, and a number for each.

#include <memory>
#include <string>
#include <utility>
#include <vector>

struct pcre2_real_code_8;

namespace w2w {

class PeftPattern {
 public:
  PeftPattern() = default;
  /// Expressions and their numbers in the order of the file. `where` is for errors: Error(malformed) for what
  /// is no regular expression.
  PeftPattern(const std::vector<std::pair<std::string, double>>& entries, const std::string& where);

  /// The number of the first expression that matches as PEFT matches it (get_pattern_key):
  /// re.match(rf"(.*\.)?({expression})$", module).
  double value_of(const std::string& module, double otherwise) const;

 private:
  struct Entry {
    std::string expression;
    std::shared_ptr<pcre2_real_code_8> compiled;
    double value;
  };
  bool matches(const Entry& entry, const std::string& module) const;

  std::string where_;
  std::vector<Entry> entries_;
};

}  // namespace w2w
