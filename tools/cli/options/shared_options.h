#pragma once
// The options several commands share (docs/cli.md), with the names other tools give them as aliases.

#include "cli/options/model_options.h"
#include "cli/options/output_options.h"
#include "cli/options/picture_options.h"

namespace w2w::cli {

/// Of commands that draw people of a space.
struct SharedOptions : ModelOptions, PictureOptions, OutputOptions {};

/// An empty optional was not given: then the model or the space decides, or the default of docs/cli.md where
/// they are silent.
struct SharedOptions {
  std::optional<std::string> model;              ///< folder, file or hub id; the demo world
  std::optional<std::string> space;              ///< folder; the demo world
  std::optional<std::string> tokenizer;          ///< folder with vocab.json and merges.txt
  std::optional<std::string> vae, text_encoder;  ///< folder, file, or hub id; the model's own
  std::string device = "auto";
  std::string dtype = "auto";

  std::vector<std::string> prompts;           ///< empty: the space's, or "sks person"
  std::vector<std::string> negative_prompts;  ///< none, one for all prompts, or one a prompt
  std::optional<int64_t> steps;               ///< 50
  std::optional<double> cfg_scale;            ///< 3.0
  std::optional<int64_t> width, height;       ///< the model's size, pixels
  std::optional<std::string> sampler;         ///< any spelling of sampler_names.h; the model's
  std::optional<std::string> schedule;        ///< "karras", ...
  std::optional<int64_t> clip_skip;
  std::string seed = "-1";  ///< as typed: see picture_seeds
  std::string rng = "cpu";
  bool prompt_weights = false;  ///< read "(word:1.2)" as A1111 does
  bool vae_tiling = false;

  std::optional<std::string> output;
  bool force = false, skip_existing = false;
  bool no_metadata = false;

  /// The negative prompt of prompt number `prompt` (from 0), "" without one.
  std::string negative_prompt(size_t prompt) const;
  NoiseSource noise_source() const;
  /// Error(usage) for --force together with --skip-existing.
  Existing existing() const;
  /// Whether --skip-existing leaves this output as it is.
  bool leaves(const OutputPath& output) const;
};

/// `options` must live as long as `parser` is used.
void add_model_options(CLI::App& parser, SharedOptions& options);
void add_device_option(CLI::App& parser, SharedOptions& options, const std::string& help);  ///< --device only
void add_model_option(CLI::App& parser, SharedOptions& options);       ///< --model, --vae, --text-encoder
void add_tokenizer_options(CLI::App& parser, SharedOptions& options);  ///< those and --tokenizer
void add_space_option(CLI::App& parser, SharedOptions& options);
void add_picture_options(CLI::App& parser, SharedOptions& options);
void add_output_options(CLI::App& parser, SharedOptions& options);
/// Those of --model, --vae, --text-encoder, --space, --device and --dtype that the command has not added
/// itself: checked, but without effect, so that a script can give one set of options to all commands. Call it
/// last.
void add_unused_options(CLI::App& parser, SharedOptions& options);
/// All of them: for commands that draw people of a space.
void add_drawing_options(CLI::App& parser, SharedOptions& options);

/// What can be refused before anything is loaded and was not refused by parsing: check_model_options,
/// check_picture_options, SOURCE_DATE_EPOCH.
void check_shared_options(const SharedOptions& options);

}  // namespace w2w::cli
