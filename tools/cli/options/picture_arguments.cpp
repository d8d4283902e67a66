#include "cli/options/picture_arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/terminal/terminal.h"

namespace w2w::cli {

std::vector<std::string> picture_arguments(const TextToImageOptions& options, const PromptsAndSeeds& drawn) {
  std::vector<std::string> words;
  const auto add = [&](std::initializer_list<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  for (const auto& prompt : drawn.prompts) add({"-p", prompt});
  const auto is_empty = [](const std::string& text) { return text.empty(); };
  if (!std::all_of(drawn.negative_prompts.begin(), drawn.negative_prompts.end(), is_empty)) {
    for (const auto& prompt : drawn.negative_prompts) add({"-n", prompt});
  }
  add({"-s", fmt::format("{}", fmt::join(drawn.seeds, ",")), "--steps", std::to_string(options.steps),
       "--cfg-scale", fmt::format("{}", options.cfg_scale), "-W", std::to_string(options.width), "-H",
       std::to_string(options.height), "--sampler", options.sampler->sampler});
  if (options.sampler->karras) add({"--scheduler", "karras"});
  if (options.clip_skip > 1) add({"--clip-skip", std::to_string(options.clip_skip)});
  if (options.noise == NoiseSource::cuda) add({"--rng", "cuda"});
  if (options.prompt_weights) add({"--prompt-weights"});
  if (options.tiled_decode) add({"--vae-tiling"});
  return words;
}

std::vector<std::string> model_arguments(const ModelOptions& options) {
  std::vector<std::string> words;
  const auto add = [&](const char* name, const std::optional<std::string>& value) {
    if (value) words.insert(words.end(), {name, *value});
  };
  add("--model", options.model);
  add("--vae", options.vae);
  add("--text-encoder", options.text_encoder);
  add("--space", options.space);
  if (options.dtype != "auto") add("--dtype", options.dtype);
  return words;
}

std::string command_line(const std::vector<std::string>& arguments) {
  std::string command = "w2w";
  for (const auto& argument : arguments) command += " " + shell_quoted(argument);
  return command;
}

}  // namespace w2w::cli
