#include "ldm_modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace w2w {
namespace {

/// "down_blocks.0.attentions.1.proj_in" is {"down_blocks", 0, "attentions", 1, "proj_in"}.
struct BlockName {
  std::string way, kind, rest;
  int64_t level = 0, index = 0;
};

std::optional<int64_t> number(const std::string& text) {
  const bool digits = !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == text.npos;
  return digits ? std::optional<int64_t>(std::stoll(text)) : std::nullopt;
}

std::optional<BlockName> block_name(const std::string& module) {
  std::vector<std::string> words;
  size_t at = 0;
  while (words.size() < 4) {
    const auto dot = module.find('.', at);
    if (dot == module.npos) return {};
    words.push_back(module.substr(at, dot - at));
    at = dot + 1;
    if (words.size() == 1 && words[0] == "mid_block") words.emplace_back("0");
  }
  const auto level = number(words[1]), index = number(words[3]);
  if (!level || !index) return {};
  return BlockName{words[0], words[2], module.substr(at), *level, *index};
}

/// Of each level, which all have as many: a level going up has one layer more.
int64_t layers_per_level(const Targets& modules) {
  int64_t most = 0;
  for (const auto& target : modules) {
    const auto name = block_name(target.module);
    if (name && name->way == "up_blocks" && (name->kind == "attentions" || name->kind == "resnets"))
      most = std::max(most, name->index);
  }
  return most > 0 ? most : 2;  // Stable Diffusion's
}

/// Blocks are numbered through all levels: the first takes the picture in, and every level but the last ends
/// with a block that resamples (which going up shares the last layer's).
std::string ldm_module(const std::string& module, int64_t layers) {
  if (module == "time_embedding.linear_1") return "time_embed.0";
  if (module == "time_embedding.linear_2") return "time_embed.2";
  const auto name = block_name(module);
  if (!name || (name->kind != "attentions" && name->kind != "resnets")) return {};
  const bool attention = name->kind == "attentions";
  const auto rest = name->rest == "time_emb_proj" ? "emb_layers.1" : name->rest;
  const auto number = name->level * (layers + 1) + name->index;
  if (name->way == "mid_block")
    return fmt::format("middle_block.{}.{}", attention ? 1 : 2 * name->index, rest);
  if (name->way == "down_blocks")
    return fmt::format("input_blocks.{}.{}.{}", number + 1, attention ? 1 : 0, rest);
  if (name->way == "up_blocks") return fmt::format("output_blocks.{}.{}.{}", number, attention ? 1 : 0, rest);
  return {};
}

}  // namespace

std::map<std::string, std::string> ldm_modules(const Targets& modules) {
  const auto layers = layers_per_level(modules);
  std::map<std::string, std::string> names;
  for (const auto& target : modules) {
    if (auto name = ldm_module(target.module, layers); !name.empty()) names.emplace(name, target.module);
  }
  return names;
}

}  // namespace w2w
