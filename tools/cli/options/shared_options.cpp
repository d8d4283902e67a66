#include "cli/options/shared_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/options/lora_option.h"
#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "cli/options/seeds.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/schedulers/sampler_names.h"

namespace w2w::cli {
std::string SharedOptions::negative_prompt(size_t prompt) const {
  if (negative_prompts.empty()) return {};
  return negative_prompts.size() == 1 ? negative_prompts.front() : negative_prompts.at(prompt);
}

NoiseSource SharedOptions::noise_source() const {
  return rng == "cuda" ? NoiseSource::cuda : NoiseSource::cpu;
}

void add_space_option(CLI::App& parser, SharedOptions& options) {
  add_text(parser, "--space", options.space, "FOLDER",
           "w2w space, or the released `files` folder (V.pt, mean.pt, ...); default: the demo world")
      ->group(model_group);
}

void add_model_option(CLI::App& parser, SharedOptions& options) {
  add_text(
      parser, "-m,--model", options.model, "PATH",
      "diffusers folder, single file (.safetensors, .ckpt), or hub id from the Hugging Face cache; default: "
      "the demo world")
      ->group(model_group);
  add_text(parser, "--vae", options.vae, "PATH",
           "VAE in place of the model's, or of none: a folder, a file, or a model or hub id that has one")
      ->group(model_group);
  add_text(parser, "--text-encoder", options.text_encoder, "PATH",
           "text encoder in place of the model's, or of none, as --vae")
      ->group(model_group);
}

void add_tokenizer_options(CLI::App& parser, SharedOptions& options) {
  add_model_option(parser, options);
  add_text(parser, "--tokenizer", options.tokenizer, "FOLDER",
           "vocab.json and merges.txt to use instead of the model's")
      ->group(model_group);
}

void add_device_option(CLI::App& parser, SharedOptions& options, const std::string& help) {
  add_text(parser, "--device", options.device, "auto|cpu|cuda", help)->group(model_group);
}

void add_model_options(CLI::App& parser, SharedOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(model_group); };
  add_tokenizer_options(parser, options);
  add_device_option(parser, options, "where to compute, also cuda:N; default: auto");
  group(add_choice(parser, "--dtype", options.dtype, {"auto", "f32", "bf16", "f16"},
                   "numbers to compute with; default: auto, the fastest proven on the device"));
}

void add_picture_options(CLI::App& parser, SharedOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(picture_group); };
  group(add_list(
      parser, "-p,--prompt", options.prompts, "TEXT",
      "what to show; repeatable: every prompt is rendered; default: the space's, or \"sks person\""));
  group(add_list(parser, "-n,--negative-prompt", options.negative_prompts, "TEXT",
                 "what to avoid; once, or once per prompt"));
  group(add_value(
      parser, "-s,--seed", "LIST",
      "picture noise: a seed, or a list like 1,2,5-8 to render each; -1 draws one and prints it; default: -1",
      [&options](const std::string& text) {
        parse_seeds(text, nullptr);
        options.seed = text;
      }));
  group(add_integer(parser, "--steps,--num-inference-steps", options.steps, {1, 10'000},
                    "denoising steps; default: 50"));
  group(add_number(parser, "--cfg-scale,--guidance-scale", options.cfg_scale, {0, 1000},
                   "guidance: how closely to follow the prompt; default: 3.0"));
  group(add_integer(parser, "-W,--width", options.width, {1, 16'384}, "pixels; default: the model's"));
  group(add_integer(parser, "-H,--height", options.height, {1, 16'384}, "pixels; default: the model's"));
  group(add_text(parser, "--sampler,--sampling-method", options.sampler,
                 fmt::format("{}", fmt::join(sampler_names(), "|")),
                 "in any usual spelling, such as \"DPM++ 2M Karras\"; default: the model's"));
  group(add_text(parser, "--scheduler,--schedule", options.schedule, "karras|default",
                 "noise levels; default: the sampler's"));
  group(add_integer(parser, "--clip-skip", options.clip_skip, {1, 24},
                    "1 uses all layers of the text encoder, 2 leaves out the last, ...; default: 1"));
  group(add_choice(parser, "--rng", options.rng, {"cpu", "cuda"},
                   "whose noise a seed means: torch's CPU generator, or a CUDA generator's (on any device); "
                   "default: cpu"));
  group(add_switch(parser, "--prompt-weights", options.prompt_weights,
                   "read (word:1.3) and [word] as A1111 does"));
  group(
      add_switch(parser, "--vae-tiling", options.vae_tiling, "decode large pictures in tiles: less memory"));
}

void add_output_options(CLI::App& parser, SharedOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(output_group); };
  group(add_text(parser, "-o,--output", options.output, "PATH",
                 "folder (made if absent), or with an extension the file, if there is one; default: the "
                 "current folder"));
  group(add_switch(parser, "--force", options.force, "replace existing files"));
  group(add_switch(parser, "--skip-existing", options.skip_existing,
                   "leave existing files as they are and make the others"));
  group(add_switch(parser, "--no-metadata", options.no_metadata, "write no parameters into pictures"));
}

void add_unused_options(CLI::App& parser, SharedOptions& options) {
  const std::string help = "no use here: accepted so that one set of options serves all commands";
  const auto add = [&](const std::string& names, const auto& option) {
    if (!parser.get_option_no_throw(names.substr(names.rfind(',') + 1))) option(names)->group(model_group);
  };
  add("-m,--model",
      [&](const std::string& names) { return add_text(parser, names, options.model, "PATH", help); });
  for (auto [name, value] :
       {std::pair("--vae", &options.vae), std::pair("--text-encoder", &options.text_encoder)}) {
    add(name, [&, value = value](const std::string& names) {
      return add_text(parser, names, *value, "PATH", help);
    });
  }
  add("--space",
      [&](const std::string& names) { return add_text(parser, names, options.space, "FOLDER", help); });
  add("--device", [&](const std::string& names) {
    return add_value(parser, names, "auto|cpu|cuda", help, [&options](const std::string& text) {
      if (!is_device_name(text)) parse_device(text);  // refuses it
      options.device = text;
    });
  });
  add("--dtype", [&](const std::string& names) {
    return add_choice(parser, names, options.dtype, {"auto", "f32", "bf16", "f16"}, help);
  });
}

void add_drawing_options(CLI::App& parser, SharedOptions& options) {
  add_picture_options(parser, options);
  add_model_options(parser, options);
  add_space_option(parser, options);
  add_output_options(parser, options);
}

Existing SharedOptions::existing() const {
  if (force && skip_existing)
    throw Error(ErrorKind::usage, "--force replaces what --skip-existing leaves: expected one of them");
  return force ? Existing::replace : skip_existing ? Existing::keep : Existing::refuse;
}

bool SharedOptions::leaves(const OutputPath& one) const {
  std::error_code error;
  return skip_existing && std::filesystem::exists(std::filesystem::symlink_status(one.path, error));
}

void check_shared_options(const SharedOptions& options) {
  parse_dtype(options.dtype, parse_device(options.device));
  source_date();
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
