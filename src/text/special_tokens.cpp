#include "text/special_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "io/json_file.h"
#include "text/vocabulary.h"
#include "text/words.h"
#include "w2w/base/error.h"
#include "w2w/io/mapped_file.h"

namespace w2w {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// The object in a file; an empty one without the file. The key "model" of tokenizer.json, megabytes of
/// vocabulary, is skipped.
json read_optional(const fs::path& path) {
  if (!fs::exists(path)) return json::object();
  const auto small = [](int depth, json::parse_event_t event, const json& key) {
    return depth != 1 || event != json::parse_event_t::key || key != "model";
  };
  try {
    const auto file = MappedFile::open(path);
    if (is_json_too_deep(file->bytes())) throw JsonTooDeep();
    auto object = json::parse(file->bytes(), small);
    if (!object.is_object()) malformed(path, fmt::format("expected an object, found {}", object.type_name()));
    return object;
  } catch (const json::exception& error) {
    malformed(path, json_reason(error));
  }
}

/// "token", or {"content": "token", "normalized": true, ...}.
SpecialToken parse_token(const fs::path& path, const std::string& role, const json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_object() || !value.contains("content") || !value["content"].is_string()) {
    malformed(path, fmt::format("{}: expected a string or an object with \"content\"", role));
  }
  const auto flag = [&](const char* name) {
    const auto found = value.find(name);
    return found != value.end() && found->is_boolean() && found->get<bool>();
  };
  return {value["content"].get<std::string>(), flag("normalized"), flag("single_word")};
}

struct Configuration {
  fs::path path;
  json object;
};

void read_roles(const Configuration& file, SpecialTokens& tokens) {
  const std::pair<const char*, SpecialToken*> roles[] = {{"bos_token", &tokens.bos},
                                                         {"eos_token", &tokens.eos},
                                                         {"unk_token", &tokens.unknown},
                                                         {"pad_token", &tokens.pad}};
  for (const auto& [role, token] : roles) {
    const auto value = file.object.find(role);
    if (value != file.object.end() && !value->is_null()) *token = parse_token(file.path, role, *value);
  }
}

/// The entries of the files that declare added tokens. transformers numbers them in the order of their ids,
/// without gaps; one that several files declare is as the last of them says.
class AddedTokens {
 public:
  void read_decoder(const fs::path& path, const json& decoder) {  // {"49408": {"content": "<cat>", ...}}
    if (!decoder.is_object()) malformed(path, "added_tokens_decoder: expected an object");
    for (const auto& [id, value] : decoder.items())
      add(number(path, id), parse_token(path, "added token", value));
  }

  void read_list(const fs::path& path, const json& list) {  // [{"id": 49408, "content": "<cat>", ...}]
    if (!list.is_array()) malformed(path, "added_tokens: expected an array");
    for (const auto& value : list) {
      const auto id = value.is_object() ? value.value("id", json()) : json();
      add(id.is_number_integer() ? id.get<int64_t>() : unnumbered, parse_token(path, "added token", value));
    }
  }

  void read_ids(const fs::path& path, const json& ids) {  // {"<cat>": 49408}
    for (const auto& [content, id] : ids.items()) {
      if (!id.is_number_integer()) malformed(path, fmt::format("{}: expected an id", content));
      add(id.get<int64_t>(), {content, true});
    }
  }

  void read_additional(const Configuration& file) {
    const auto list = file.object.value("additional_special_tokens", json::array());
    if (!list.is_array()) malformed(file.path, "additional_special_tokens: expected an array");
    for (const auto& value : list)
      add(unnumbered, parse_token(file.path, "additional_special_tokens", value));
  }

  std::vector<SpecialToken> in_order() const {
    auto entries = entries_;
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<SpecialToken> tokens;
    for (auto& [id, token] : entries) tokens.push_back(std::move(token));
    return tokens;
  }

 private:
  static constexpr int64_t unnumbered = std::numeric_limits<int64_t>::max();

  static int64_t number(const fs::path& path, const std::string& text) {
    int64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{} || end != text.data() + text.size())
      malformed(path, fmt::format("added_tokens_decoder: expected ids, found '{}'", text));
    return id;
  }

  void add(int64_t id, SpecialToken token) {
    if (token.content.empty()) return;
    const auto known = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& entry) { return entry.second.content == token.content; });
    if (known == entries_.end()) {
      entries_.emplace_back(id, std::move(token));
    } else {
      *known = {std::min(id, known->first), std::move(token)};
    }
  }

  std::vector<std::pair<int64_t, SpecialToken>> entries_;
};

}  // namespace

std::vector<SpecialToken> SpecialTokens::matched() const {
  std::vector<SpecialToken> list;
  const auto add = [&](const SpecialToken& token) {
    std::erase_if(list, [&](const SpecialToken& earlier) { return earlier.content == token.content; });
    if (!token.content.empty()) list.push_back(token);
  };
  for (const auto* token : {&bos, &eos, &unknown, &pad}) add(*token);
  for (const auto& token : added) add(token);
  return list;
}

SpecialTokens read_special_tokens(const fs::path& folder) {
  SpecialTokens tokens;
  const auto config_path = folder / "tokenizer_config.json", map_path = folder / "special_tokens_map.json";
  const auto whole_path = folder / "tokenizer.json", added_path = folder / "added_tokens.json";
  const Configuration config{config_path, read_optional(config_path)};
  read_roles(config, tokens);

  AddedTokens added;
  if (const auto decoder = config.object.find("added_tokens_decoder"); decoder != config.object.end()) {
    added.read_decoder(config_path, *decoder);
  } else {
    const Configuration map{map_path, read_optional(map_path)};
    read_roles(map, tokens);
    for (const auto* file : {&config, &map}) added.read_additional(*file);
    added.read_list(whole_path, read_optional(whole_path).value("added_tokens", json::array()));
    added.read_ids(added_path, read_optional(added_path));
  }
  for (auto& declared : added.in_order()) {
    bool is_role = false;
    for (auto* token : {&tokens.bos, &tokens.eos, &tokens.unknown, &tokens.pad}) {
      if (token->content != declared.content) continue;
      token->normalized = declared.normalized;
      token->single_word = declared.single_word;
      is_role = true;
    }
    if (!is_role) tokens.added.push_back(std::move(declared));
  }

  if (const auto length = config.object.find("model_max_length"); length != config.object.end()) {
    // transformers writes 1e30 for "unknown".
    if (!length->is_number() || length->get<double>() < 3)
      malformed(config_path, "model_max_length: expected 3 or more");
    if (length->get<double>() < 65536) tokens.max_length = length->get<int64_t>();
  }
  return tokens;
}

std::vector<TextPart> split_at_tokens(std::string_view text, const std::vector<MatchedToken>& tokens) {
  std::vector<TextPart> parts;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    int found = -1;
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool longer =
          found < 0 || tokens[i].content.size() > tokens[static_cast<size_t>(found)].content.size();
      if (longer && text.substr(at).starts_with(tokens[i].content)) found = static_cast<int>(i);
    }
    if (found < 0) {
      ++at;
      continue;
    }
    const auto& token = tokens[static_cast<size_t>(found)];
    const size_t end = at + token.content.size();
    if (!token.single_word || !(ends_with_word(text.substr(0, at)) || starts_with_word(text.substr(end)))) {
      if (at > begin) parts.push_back({text.substr(begin, at - begin)});
      parts.push_back({text.substr(at, end - at), found});
      begin = end;
    }
    at = end;
  }
  if (begin < text.size()) parts.push_back({text.substr(begin)});
  return parts;
}

}  // namespace w2w
