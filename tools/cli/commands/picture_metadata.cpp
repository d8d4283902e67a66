#include "cli/commands/picture_metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "cli/app/version.h"
#include "cli/terminal/terminal.h"

namespace w2w::cli {
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

std::vector<std::string> option_arguments(const SheetFacts& facts) {
  const auto& o = facts.common.options;
  std::vector<std::string> arguments;
  for (const auto& prompt : facts.prompts) arguments.insert(arguments.end(), {"-p", prompt});
  const auto is_empty = [](const std::string& text) { return text.empty(); };
  if (!std::all_of(facts.negative_prompts.begin(), facts.negative_prompts.end(), is_empty)) {
    for (const auto& prompt : facts.negative_prompts) arguments.insert(arguments.end(), {"-n", prompt});
  }
  arguments.insert(arguments.end(),
                   {"-s", fmt::format("{}", fmt::join(facts.seeds, ",")), "--steps", std::to_string(o.steps),
                    "--cfg-scale", fmt::format("{}", o.cfg_scale), "-W", std::to_string(o.width), "-H",
                    std::to_string(o.height), "--sampler", o.sampler->sampler});
  if (o.sampler->karras) arguments.insert(arguments.end(), {"--scheduler", "karras"});
  if (o.clip_skip > 1) arguments.insert(arguments.end(), {"--clip-skip", std::to_string(o.clip_skip)});
  if (o.noise == NoiseSource::cuda) arguments.insert(arguments.end(), {"--rng", "cuda"});
  if (o.prompt_weights) arguments.push_back("--prompt-weights");
  if (o.tiled_decode) arguments.push_back("--vae-tiling");
  return arguments;
}

Json making(const SheetFacts& facts) {
  auto arguments = facts.common.arguments;
  for (auto& argument : option_arguments(facts)) arguments.push_back(std::move(argument));
  return {{"format", 1}, {"version", version()}, {"arguments", arguments}, {"model", facts.common.model}};
}

}  // namespace

Metadata picture_metadata(const PictureFacts& facts) {
  const auto& o = facts.options;
  auto json = making({facts, {o.prompt}, {o.negative_prompt}, {o.seed}});
  json.update(Json{{"prompt", o.prompt},
                   {"negative_prompt", o.negative_prompt},
                   {"seed", o.seed},
                   {"steps", o.steps},
                   {"cfg_scale", o.cfg_scale},
                   {"width", o.width},
                   {"height", o.height},
                   {"sampler", o.sampler->sampler + (o.sampler->karras ? "_karras" : "")}});
  json.update(facts.more);
  return {{"parameters", infotext(facts)}, {"w2w", json_text(json)}};
}

Metadata sheet_metadata(const SheetFacts& facts) {
  auto json = making(facts);
  json.update(facts.common.more);
  return {{"w2w", json_text(json)}};
}

std::optional<std::string> command_of(const Metadata& metadata) {
  const auto entry = metadata.find("w2w");
  if (entry == metadata.end()) return {};
  const auto json = parse_json(entry->second);
  if (!json.is_object() || !json.contains("arguments") || !json["arguments"].is_array()) return {};
  std::string command = "w2w";
  for (const auto& argument : json["arguments"]) {
    if (!argument.is_string()) return {};
    command += " " + shell_quoted(argument.get<std::string>());
  }
  return command;
}

}  // namespace w2w::cli
