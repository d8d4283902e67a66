#include "text/special_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "io/json_file.h"
#include "w2w/base/error.h"
#include "w2w/io/mapped_file.h"

namespace w2w {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

[[noreturn]] void malformed(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::malformed, fmt::format("tokenizer file is malformed ({}): {}", path.string(), what));
}

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
  const auto normalized = value.find("normalized");
  return {value["content"].get<std::string>(),
          normalized != value.end() && normalized->is_boolean() && normalized->get<bool>()};
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

}  // namespace

std::vector<SpecialToken> SpecialTokens::matched() const {
  std::vector<SpecialToken> list;
  for (const auto* token : {&bos, &eos, &unknown, &pad}) {
    std::erase_if(list, [&](const SpecialToken& earlier) { return earlier.content == token->content; });
    if (!token->content.empty()) list.push_back(*token);
  }
  return list;
}

SpecialTokens read_special_tokens(const fs::path& folder) {
  SpecialTokens tokens;
  const auto config_path = folder / "tokenizer_config.json", map_path = folder / "special_tokens_map.json";
  const auto whole_path = folder / "tokenizer.json";
  const Configuration config{config_path, read_optional(config_path)};
  read_roles(config, tokens);

  json added = json::object();  // entries whose "normalized" goes before that of the roles
  fs::path added_path = config_path;
  if (const auto decoder = config.object.find("added_tokens_decoder"); decoder != config.object.end()) {
    added = *decoder;
  } else {
    read_roles({map_path, read_optional(map_path)}, tokens);
    added_path = whole_path;
    added = read_optional(whole_path).value("added_tokens", json::array());
  }
  for (const auto& entry : added) {
    const auto declared = parse_token(added_path, "added token", entry);
    for (auto* token : {&tokens.bos, &tokens.eos, &tokens.unknown, &tokens.pad}) {
      if (token->content == declared.content) token->normalized = declared.normalized;
    }
  }

  if (const auto length = config.object.find("model_max_length"); length != config.object.end()) {
    // transformers writes 1e30 for "unknown".
    if (!length->is_number() || length->get<double>() < 3)
      malformed(config_path, "model_max_length: expected 3 or more");
    if (length->get<double>() < 65536) tokens.max_length = length->get<int64_t>();
  }
  return tokens;
}

std::vector<TextPart> split_at_tokens(std::string_view text, const std::vector<std::string_view>& contents) {
  std::vector<TextPart> parts;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    int found = -1;
    for (size_t i = 0; i < contents.size(); ++i) {
      const bool longer = found < 0 || contents[i].size() > contents[static_cast<size_t>(found)].size();
      if (longer && text.substr(at).starts_with(contents[i])) found = static_cast<int>(i);
    }
    if (found < 0) {
      ++at;
      continue;
    }
    if (at > begin) parts.push_back({text.substr(begin, at - begin)});
    const size_t size = contents[static_cast<size_t>(found)].size();
    parts.push_back({text.substr(at, size), found});
    begin = at += size;
  }
  if (begin < text.size()) parts.push_back({text.substr(begin)});
  return parts;
}

}  // namespace w2w
