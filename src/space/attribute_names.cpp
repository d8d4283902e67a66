#include "w2w/space/attribute_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w {
namespace {

constexpr size_t shortest_part = 3;  ///< letters that may stand for a longer name

/// "5_o'Clock Shadow" -> 5 o clock shadow.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte >= 0x80)
      words.back() += static_cast<char>(std::tolower(byte));
    else if (c != '\'' && !words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::string letters_of(const std::string& name) { return fmt::format("{}", fmt::join(words_of(name), "")); }

struct Meaning {
  std::string subject;
  bool opposite = false;

  bool operator==(const Meaning&) const = default;
};

/// Other words for the names of CelebA, without their "Wearing" and "No".
const std::map<std::string, Meaning>& synonyms() {
  static const std::map<std::string, Meaning> all = {{"aged", {"young", true}},
                                                     {"bearded", {"beard"}},
                                                     {"blonde", {"blondhair"}},
                                                     {"blondehair", {"blondhair"}},
                                                     {"cleanshaven", {"beard", true}},
                                                     {"elderly", {"young", true}},
                                                     {"female", {"male", true}},
                                                     {"feminine", {"male", true}},
                                                     {"fiveoclockshadow", {"5oclockshadow"}},
                                                     {"fringe", {"bangs"}},
                                                     {"glasses", {"eyeglasses"}},
                                                     {"greyhair", {"grayhair"}},
                                                     {"makeup", {"heavymakeup"}},
                                                     {"man", {"male"}},
                                                     {"masculine", {"male"}},
                                                     {"moustache", {"mustache"}},
                                                     {"mouthopen", {"mouthslightlyopen"}},
                                                     {"old", {"young", true}},
                                                     {"smile", {"smiling"}},
                                                     {"spectacles", {"eyeglasses"}},
                                                     {"stubble", {"5oclockshadow"}},
                                                     {"tie", {"necktie"}},
                                                     {"woman", {"male", true}}};
  return all;
}

Meaning meaning_of(const std::string& name) {
  static const std::set<std::string> negations = {"no", "not", "without"},
                                     fillers = {"wearing", "with", "has"};
  auto words = words_of(name);
  bool opposite = false;
  while (words.size() > 1 && (negations.contains(words.front()) || fillers.contains(words.front()))) {
    opposite ^= negations.contains(words.front());
    words.erase(words.begin());
  }
  const auto subject = fmt::format("{}", fmt::join(words, ""));
  const auto synonym = synonyms().find(subject);
  if (synonym == synonyms().end()) return {subject, opposite};
  return {synonym->second.subject, synonym->second.opposite != opposite};
}

/// A number or two letters are a slip rather than a part of a name: "1,5" would be a 5_o_Clock_Shadow.
bool may_be_part(const std::string& subject) {
  return subject.size() >= shortest_part &&
         !std::all_of(subject.begin(), subject.end(), [](unsigned char c) { return std::isdigit(c); });
}

std::string all_of(const std::vector<std::string>& known) {
  return fmt::format("the attributes are {}", fmt::join(known, ", "));
}

[[noreturn]] void throw_unknown(const std::string& typed, const std::vector<std::string>& known,
                                const std::string& origin) {
  const auto near = nearest_name(typed, known);
  throw Error(ErrorKind::usage, fmt::format("unknown attribute '{}' ({})", typed, origin),
              near ? fmt::format("did you mean '{}'? {}", *near, all_of(known)) : all_of(known));
}

}  // namespace

KnownAttribute find_attribute(const std::string& typed, const std::vector<std::string>& known,
                              const std::string& origin) {
  if (std::find(known.begin(), known.end(), typed) != known.end()) return {typed};
  std::vector<KnownAttribute> found;
  const auto letters = letters_of(typed);
  if (letters.empty()) throw_unknown(typed, known, origin);
  for (const auto& name : known) {
    if (letters_of(name) == letters) found.push_back({name});
  }
  const auto meant = meaning_of(typed);
  if (found.empty()) {
    for (const auto& name : known) {
      const auto meaning = meaning_of(name);
      if (meaning.subject == meant.subject) found.push_back({name, meaning.opposite != meant.opposite});
    }
  }
  if (found.empty() && may_be_part(meant.subject)) {
    for (const auto& name : known) {
      const auto meaning = meaning_of(name);
      if (meaning.subject.find(meant.subject) != std::string::npos)
        found.push_back({name, meaning.opposite != meant.opposite});
    }
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) throw_unknown(typed, known, origin);
  std::vector<std::string> names;
  for (const auto& one : found) names.push_back(one.name);
  throw Error(ErrorKind::usage,
              fmt::format("attribute '{}' may mean {} ({})", typed, fmt::join(names, ", "), origin),
              all_of(known));
}

}  // namespace w2w
