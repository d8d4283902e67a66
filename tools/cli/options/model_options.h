#pragma once
// Which model and space, and what to compute with.

#include <CLI/App.hpp>
#include <optional>
#include <string>

namespace w2w::cli {

/// An empty optional was not given: the demo world's, or the model's own.
struct ModelOptions {
  std::optional<std::string> model;              ///< folder, file or hub id
  std::optional<std::string> space;              ///< folder
  std::optional<std::string> tokenizer;          ///< folder with vocab.json and merges.txt
  std::optional<std::string> vae, text_encoder;  ///< folder, file, or hub id
  std::string device = "auto";
  std::string dtype = "auto";
};

/// `options` must live as long as `parser` is used.
void add_model_options(CLI::App& parser, ModelOptions& options);
void add_device_option(CLI::App& parser, ModelOptions& options, const std::string& help);  ///< --device only
void add_model_option(CLI::App& parser, ModelOptions& options);       ///< --model, --vae, --text-encoder
void add_tokenizer_options(CLI::App& parser, ModelOptions& options);  ///< those and --tokenizer
void add_space_option(CLI::App& parser, ModelOptions& options);
/// Those of --model, --vae, --text-encoder, --space, --device and --dtype that the command has not added
/// itself: checked, but without effect, so that a script can give one set of options to all commands. Call it
/// last.
void add_unused_options(CLI::App& parser, ModelOptions& options);

/// What of device and dtype can be refused before anything is loaded. Error(usage), or Error(failure) for a
/// device this machine does not have.
void check_model_options(const ModelOptions& options);

}  // namespace w2w::cli
