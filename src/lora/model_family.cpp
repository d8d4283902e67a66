#include "w2w/lora/model_family.h"

#include <fmt/format.h>

#include <map>
#include <utility>
#include <vector>

namespace w2w {
namespace {

/// A UNet as Stable Diffusion 1 has it: transformer blocks of depth one at every level but the last.
struct Geometry {
  ModelFamily family;
  std::vector<int64_t> widths;  ///< channels by level
  int64_t layers;               ///< transformers a level going down; one more going up
  int64_t text_width;
};

using Shapes = std::map<std::string, std::pair<int64_t, int64_t>>;  ///< [in, out] by module

void add_transformer(Shapes& shapes, const std::string& path, int64_t width, int64_t text) {
  for (const char* name : {"proj_in", "proj_out"}) shapes[path + "." + name] = {width, width};
  const auto block = path + ".transformer_blocks.0.";
  for (const char* name :
       {"attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "attn2.to_out.0"}) {
    shapes[block + name] = {width, width};
  }
  for (const char* name : {"attn2.to_k", "attn2.to_v"}) shapes[block + name] = {text, width};
  shapes[block + "ff.net.0.proj"] = {width, 8 * width};
  shapes[block + "ff.net.2"] = {4 * width, width};
}

Shapes shapes_of(const Geometry& geometry) {
  Shapes shapes;
  const auto& widths = geometry.widths;
  const auto add = [&](const std::string& block, int64_t count, int64_t width) {
    for (int64_t i = 0; i < count; ++i) {
      add_transformer(shapes, fmt::format("{}.attentions.{}", block, i), width, geometry.text_width);
    }
  };
  for (size_t level = 0; level + 1 < widths.size(); ++level) {
    add(fmt::format("down_blocks.{}", level), geometry.layers, widths[level]);
    add(fmt::format("up_blocks.{}", widths.size() - 1 - level), geometry.layers + 1, widths[level]);
  }
  add("mid_block", 1, widths.back());
  return shapes;
}

/// Layers outside of transformers, such as those of the timestep, tell no families apart.
bool fits(const Lora& lora, const Geometry& geometry) {
  const auto shapes = shapes_of(geometry);
  bool any = false;
  for (const auto& [module, factors] : lora) {
    if (module.find(".attentions.") == std::string::npos) continue;
    const auto found = shapes.find(module);
    if (found == shapes.end()) return false;
    if (found->second != std::pair(factors.down.size(1), factors.up.size(0))) return false;
    any = true;
  }
  return any;
}

}  // namespace

ModelFamily family_of(const Lora& lora, const LoraModel& known) {
  static const std::vector<Geometry> families = {
      {ModelFamily::stable_diffusion_1, {320, 640, 1280, 1280}, 2, 768},
      {ModelFamily::stable_diffusion_2, {320, 640, 1280, 1280}, 2, 1024},
      {ModelFamily::demo, {64, 96, 128}, 1, 64},  // share/w2w/demo/model/unet/config.json
  };
  for (const auto& geometry : families) {
    if (known.text_width != 0 && known.text_width != geometry.text_width) continue;
    if (fits(lora, geometry)) return geometry.family;
  }
  return ModelFamily::other;
}

}  // namespace w2w
