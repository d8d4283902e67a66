#pragma once
// Attributes as people call them.

#include <string>
#include <vector>

namespace w2w {

/// One of the attributes that a space knows.
struct KnownAttribute {
  std::string name;
  bool opposite = false;  ///< it means the contrary of what was typed: "Young" where "Old" is known
};

/// What `typed` means among `known`: the very name; else the same in another case or with other separators;
/// else a synonym or the opposite of one, such as CelebA's Wearing_Hat, No_Beard and Young; else the only
/// name that contains it. Error(usage) with all of `known` as its hint for none or several; `origin` says
/// whose they are.
KnownAttribute find_attribute(const std::string& typed, const std::vector<std::string>& known,
                              const std::string& origin);

}  // namespace w2w
