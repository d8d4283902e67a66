#include "w2w/engine/picture_metadata.h"

#include <fmt/format.h>

#include <map>

#include "engine/history.h"
#include "io/json_file.h"
#include "w2w/base/version.h"

namespace w2w {
namespace {

/// A1111's name of a sampler.
std::string infotext_sampler(const SamplerChoice& choice) {
  static const std::map<std::string, std::string> names = {{"pndm", "PLMS"},
                                                           {"plms", "PLMS"},
                                                           {"ddim", "DDIM"},
                                                           {"euler", "Euler"},
                                                           {"euler_ancestral", "Euler a"},
                                                           {"heun", "Heun"},
                                                           {"lms", "LMS"},
                                                           {"dpmpp_2m", "DPM++ 2M"},
                                                           {"unipc", "UniPC"}};
  return names.at(choice.sampler) + (choice.karras ? " Karras" : "");
}

std::string infotext(const PictureFacts& facts) {
  const auto& o = facts.options;
  std::string text = o.prompt;
  if (!o.negative_prompt.empty()) text += "\nNegative prompt: " + o.negative_prompt;
  text += fmt::format("\nSteps: {}, Sampler: {}, CFG scale: {:g}, Seed: {}, Size: {}x{}, Model: {}", o.steps,
                      infotext_sampler(*o.sampler), o.cfg_scale, o.seed, o.width, o.height, facts.model);
  if (o.clip_skip > 1) text += fmt::format(", Clip skip: {}", o.clip_skip);
  text += fmt::format(", RNG: {}, Version: w2w {}", o.noise == NoiseSource::cpu ? "CPU" : "GPU", version());
  return text;
}

Json making(const PictureFacts& facts) {
  return {{"format", 1}, {"version", version()}, {"arguments", facts.arguments}, {"model", facts.model}};
}

/// The object in "w2w"; an empty one where there is none.
Json made_by_w2w(const Metadata& metadata) {
  const auto entry = metadata.find("w2w");
  if (entry == metadata.end() || is_json_too_deep(entry->second)) return Json::object();
  auto json = Json::parse(entry->second, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}

}  // namespace

Metadata picture_metadata(const PictureFacts& facts) {
  const auto& o = facts.options;
  auto json = making(facts);
  json.update(Json{{"prompt", o.prompt},
                   {"negative_prompt", o.negative_prompt},
                   {"seed", o.seed},
                   {"steps", o.steps},
                   {"cfg_scale", o.cfg_scale},
                   {"width", o.width},
                   {"height", o.height},
                   {"sampler", o.sampler->sampler + (o.sampler->karras ? "_karras" : "")}});
  json.update(Json::parse(facts.more));
  return {{"parameters", infotext(facts)}, {"w2w", json_text(json)}};
}

Metadata sheet_metadata(const PictureFacts& facts) {
  auto json = making(facts);
  json.update(Json::parse(facts.more));
  return {{"w2w", json_text(json)}};
}

std::optional<std::string> prompt_in(const Metadata& metadata) {
  const auto json = made_by_w2w(metadata);
  if (!json.contains("prompt") || !json["prompt"].is_string()) return {};
  return json["prompt"].get<std::string>();
}

std::optional<std::vector<std::string>> arguments_in(const Metadata& metadata) {
  const auto json = made_by_w2w(metadata);
  if (!json.contains("arguments") || !json["arguments"].is_array()) return {};
  std::vector<std::string> arguments;
  for (const auto& argument : json["arguments"]) {
    if (!argument.is_string()) return {};
    arguments.push_back(argument.get<std::string>());
  }
  return arguments;
}

}  // namespace w2w
