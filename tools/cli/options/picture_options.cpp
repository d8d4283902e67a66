#include "cli/options/picture_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "cli/options/seeds.h"
#include "w2w/base/error.h"
#include "w2w/schedulers/sampler_names.h"

namespace w2w::cli {

PictureRequest PictureOptions::request(const Run& run) const {
  PictureRequest request;
  request.prompts = prompts;
  request.negative_prompts = negative_prompts;
  request.seeds = parse_seeds(seed, draw_seed, "--seed", run);
  request.steps = steps;
  request.width = width;
  request.height = height;
  request.clip_skip = clip_skip;
  request.cfg_scale = cfg_scale;
  if (sampler || schedule) request.sampler = parse_sampler(sampler.value_or(""), schedule.value_or(""));
  request.noise = rng == "cuda" ? NoiseSource::cuda : NoiseSource::cpu;
  request.prompt_weights = prompt_weights;
  request.tiled_decode = vae_tiling;
  return request;
}

void check_negative_prompt(const std::string& text) {
  if (!is_number(text)) return;
  throw Error(
      ErrorKind::usage,
      fmt::format("-n, --negative-prompt expects words that pictures shall not show, found '{}'", text),
      "several people: --count of `w2w sample`; several pictures of each: -s 1-4");
}

void add_picture_options(CLI::App& parser, PictureOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(picture_group); };
  group(add_list(parser, "-p,--prompt", options.prompts, "TEXT",
                 "prompt; repeatable: every prompt is drawn; default: the space's, or \"sks person\""));
  group(add_list(parser, "-n,--negative-prompt", options.negative_prompts, "TEXT",
                 "negative prompt; once, or once per prompt"));
  group(add_value(parser, "-s,--seed", "LIST",
                  "seed of the picture noise, or a list like 1,2,5-8 to draw each; -1 draws one and prints "
                  "it; default: -1",
                  [&options](const std::string& text) {
                    parse_seeds(text, nullptr);
                    options.seed = text;
                  }));
  group(add_integer(parser, "--steps,--num-inference-steps", options.steps, {1, 10'000},
                    "denoising steps; default: 50"));
  group(add_number(parser, "--cfg-scale,--guidance-scale", options.cfg_scale, {0, 1000},
                   "guidance scale: how closely to follow the prompt; default: 3.0"));
  group(add_integer(parser, "-W,--width", options.width, {1, 16'384}, "pixels; default: the model's"));
  group(add_integer(parser, "-H,--height", options.height, {1, 16'384}, "pixels; default: the model's"));
  group(add_text(parser, "--sampler,--sampling-method", options.sampler,
                 fmt::format("{}", fmt::join(sampler_names(), "|")),
                 "in any usual spelling, such as \"DPM++ 2M Karras\"; default: the model's"));
  group(add_text(parser, "--scheduler,--schedule", options.schedule, "karras|default",
                 "noise schedule; default: the sampler's"));
  group(add_integer(parser, "--clip-skip", options.clip_skip, {1, 24},
                    "1 uses all layers of the text encoder, 2 leaves out the last, ...; default: 1"));
  group(add_choice(parser, "--rng", options.rng, {"cpu", "cuda"},
                   "which generator's noise to reproduce: torch CPU, or CUDA Philox (works on any device); "
                   "default: cpu"));
  group(add_switch(parser, "--prompt-weights", options.prompt_weights,
                   "read (word:1.3) and [word] as A1111 does"));
  group(
      add_switch(parser, "--vae-tiling", options.vae_tiling, "decode large pictures in tiles: less memory"));
}

void check_picture_options(const PictureOptions& options) {
  for (const auto& prompt : options.negative_prompts) check_negative_prompt(prompt);
  if (options.sampler || options.schedule)
    parse_sampler(options.sampler.value_or(""), options.schedule.value_or(""));
  if (options.negative_prompts.size() > 1 && options.negative_prompts.size() != options.prompts.size()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("--negative-prompt expects one for all or one per prompt, found {} for {} prompts",
                    options.negative_prompts.size(), options.prompts.size()));
  }
}

}  // namespace w2w::cli
