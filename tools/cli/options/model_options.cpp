#include "cli/options/model_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "w2w/device/device.h"

namespace w2w::cli {

void add_space_option(CLI::App& parser, ModelOptions& options) {
  add_text(parser, "--space", options.space, "FOLDER",
           "w2w space, or the released `files` folder (V.pt, mean.pt, ...); default: the demo world")
      ->group(model_group);
}

void add_model_option(CLI::App& parser, ModelOptions& options) {
  add_text(
      parser, "-m,--model", options.model, "PATH",
      "diffusers folder, single file (.safetensors, .ckpt), or hub id from the Hugging Face cache; default: "
      "the demo world")
      ->group(model_group);
  add_text(parser, "--vae", options.vae, "PATH",
           "VAE to use instead of the model's, or if it has none: a folder, a file, or a model or hub id "
           "that has one")
      ->group(model_group);
  add_text(parser, "--text-encoder", options.text_encoder, "PATH",
           "text encoder to use instead of the model's, or if it has none, as for --vae")
      ->group(model_group);
}

void add_tokenizer_options(CLI::App& parser, ModelOptions& options) {
  add_model_option(parser, options);
  add_text(parser, "--tokenizer", options.tokenizer, "FOLDER",
           "vocab.json and merges.txt to use instead of the model's")
      ->group(model_group);
}

void add_device_option(CLI::App& parser, ModelOptions& options, const std::string& help) {
  add_text(parser, "--device", options.device, "auto|cpu|cuda", help)->group(model_group);
}

void add_model_options(CLI::App& parser, ModelOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(model_group); };
  add_tokenizer_options(parser, options);
  add_device_option(parser, options, "device of the computation, also cuda:N; default: auto");
  group(add_choice(parser, "--dtype", options.dtype, {"auto", "f32", "bf16", "f16"},
                   "precision of the computation; default: auto, the fastest that is tested on the device"));
}

void add_unused_options(CLI::App& parser, ModelOptions& options) {
  const auto& help = unused_help;
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

void check_model_options(const ModelOptions& options) {
  parse_dtype(options.dtype, parse_device(options.device));
}

}  // namespace w2w::cli
