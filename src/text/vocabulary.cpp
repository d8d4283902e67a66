#include "text/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>

#include "io/json_file.h"
#include "text/merge_order.h"
#include "w2w/base/error.h"
#include "w2w/io/mapped_file.h"

namespace w2w {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr size_t longest_entry = 4096;  // merge_order takes the square of the length

using Entries = std::vector<std::pair<std::string, int64_t>>;

/// Collects {"entry": id, ...} without building a tree: loading a model waits for it.
class EntryReader : public json::json_sax_t {
 public:
  explicit EntryReader(const fs::path& path) : path_(path) {}
  Entries entries;

  bool start_object(size_t) override { return depth_++ == 0 || other("an object"); }
  bool end_object() override { return true; }
  bool key(std::string& name) override {
    name_ = std::move(name);
    return true;
  }
  bool number_unsigned(uint64_t id) override {
    entries.emplace_back(std::move(name_), static_cast<int64_t>(std::min<uint64_t>(id, INT32_MAX)));
    return depth_ > 0 || other("a number");
  }
  bool number_integer(int64_t) override { return other("a negative number"); }
  bool number_float(double, const std::string&) override { return other("a fraction"); }
  bool string(std::string&) override { return other("a string"); }
  bool binary(json::binary_t&) override { return other("binary data"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool null() override { return other("null"); }
  bool start_array(size_t) override { return other("an array"); }
  bool end_array() override { return true; }
  bool parse_error(size_t, const std::string&, const json::exception& error) override {
    malformed(path_, json_reason(error));
  }

 private:
  bool other(const char* found) const {
    malformed(path_, fmt::format("expected an object of ids by entry, found {} at '{}'", found, name_));
  }

  fs::path path_;
  std::string name_;
  int depth_ = 0;
};

std::vector<std::string> by_id(const fs::path& path, Entries entries) {
  std::vector<std::string> pieces(entries.size());
  std::vector<bool> taken(entries.size());
  for (auto& [piece, id] : entries) {
    const auto at = static_cast<size_t>(id);
    if (at >= pieces.size() || taken[at]) {
      malformed(path, fmt::format("{} entries must have the ids 0 to {}, each once; found {} at '{}'",
                                  pieces.size(), pieces.size() - 1, id, piece));
    }
    if (piece.size() > longest_entry) {
      malformed(path, fmt::format("entry {} is {} bytes long; expected at most {}", id, piece.size(),
                                  longest_entry));
    }
    taken[at] = true;
    pieces[at] = std::move(piece);
  }
  return pieces;
}

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

/// One merge: two entries with a space between.
std::pair<std::string_view, std::string_view> split_merge(const fs::path& path, std::string_view line,
                                                          size_t number) {
  const size_t space = line.find(' ');
  if (space == line.npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != line.npos) {
    malformed(path,
              fmt::format("merge {}: expected two entries with one space between, found '{}'", number, line));
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

Pairs split_lines(const fs::path& path, std::string_view text) {
  Pairs pairs;
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (!line.starts_with("#version")) pairs.push_back(split_merge(path, line, number));
  }
  return pairs;
}

Vocabulary assemble(std::vector<std::string> pieces, const fs::path& merges_path, const Pairs& pairs) {
  std::unordered_map<std::string_view, int32_t> ids;
  ids.reserve(pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) ids.emplace(pieces[id], static_cast<int32_t>(id));
  const auto id_of = [&](std::string_view piece) {
    const auto found = ids.find(piece);
    if (found == ids.end())
      malformed(merges_path, fmt::format("a merge uses '{}', which is no entry", piece));
    return found->second;
  };
  std::vector<Merge> merges;
  merges.reserve(pairs.size());
  std::string joined;
  for (const auto& [left, right] : pairs) {
    joined.assign(left).append(right);
    merges.push_back({id_of(left), id_of(right), id_of(joined)});
  }
  auto order = merge_order(pieces, merges);
  return {std::move(pieces), std::move(order)};
}

Vocabulary read_tokenizer_json(const fs::path& path) {
  const auto file = MappedFile::open(path);
  try {
    const auto model = parse_json(file->bytes()).at("model");
    Entries entries;
    for (const auto& [piece, id] : model.at("vocab").items()) entries.emplace_back(piece, id.get<uint32_t>());
    Pairs pairs;
    const auto& merges = model.at("merges");
    for (const auto& merge : merges) {
      if (merge.is_string()) {
        pairs.push_back(split_merge(path, merge.get_ref<const std::string&>(), pairs.size() + 1));
      } else {
        pairs.emplace_back(merge.at(0).get_ref<const std::string&>(),
                           merge.at(1).get_ref<const std::string&>());
      }
    }
    return assemble(by_id(path, std::move(entries)), path, pairs);
  } catch (const json::exception& error) {
    malformed(path, json_reason(error));
  }
}

}  // namespace

void malformed(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::malformed, fmt::format("tokenizer file is malformed ({}): {}", path.string(), what));
}

Vocabulary read_vocabulary(const fs::path& folder) {
  const auto vocabulary_path = folder / "vocab.json", merges_path = folder / "merges.txt";
  const auto single_path = folder / "tokenizer.json";
  if (!fs::exists(vocabulary_path) && !fs::exists(merges_path) && fs::exists(single_path)) {
    return read_tokenizer_json(single_path);
  }
  const auto vocabulary = MappedFile::open(vocabulary_path), merges = MappedFile::open(merges_path);
  EntryReader reader(vocabulary_path);
  json::sax_parse(vocabulary->bytes(), &reader);
  auto pieces = by_id(vocabulary_path, std::move(reader.entries));
  constexpr std::string_view header = "#version: 0.2\n";
  const auto lines = merges->bytes();
  if (lines.size() == header.size() + builtin_merges_size) {  // nearly every model: spare it merge_order
    const auto known = builtin_merges();
    auto clip = builtin_vocabulary(known);
    if (lines.starts_with(header) && lines.ends_with(known) && pieces == clip.pieces) return clip;
  }
  return assemble(std::move(pieces), merges_path, split_lines(merges_path, lines));
}

}  // namespace w2w
