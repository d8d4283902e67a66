#pragma once
// What is drawn, with the names other tools give these options as aliases.

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/options/seeds.h"
#include "w2w/base/run.h"
#include "w2w/engine/pictures.h"

namespace w2w::cli {

/// An empty optional was not given: then the space decides, or the default of docs/cli.md where it is silent.
struct PictureOptions {
  std::vector<std::string> prompts;           ///< empty: the space's, or "sks person"
  std::vector<std::string> negative_prompts;  ///< none, one for all prompts, or one a prompt
  std::optional<int64_t> steps;               ///< 50
  std::optional<double> cfg_scale;            ///< 3.0
  std::optional<int64_t> width, height;       ///< the model's size, pixels
  std::optional<std::string> sampler;         ///< any spelling of sampler_names.h; the model's
  std::optional<std::string> schedule;        ///< "karras", ...
  std::optional<int64_t> clip_skip;
  std::string seed = drawn_seed;  ///< as typed: a -1 is drawn when the command runs
  std::string rng = "cpu";
  bool prompt_weights = false;  ///< read "(word:1.2)" as A1111 does
  bool vae_tiling = false;

  /// As the engine takes it; a seed that is drawn is told of.
  PictureRequest request(const Run& run) const;
};

/// `options` must live as long as `parser` is used.
void add_picture_options(CLI::App& parser, PictureOptions& options);

/// Error(usage) for a number, which -n takes for a count in other tools.
void check_negative_prompt(const std::string& text);

/// Sampler and negative prompts: Error(usage) before anything is loaded.
void check_picture_options(const PictureOptions& options);

}  // namespace w2w::cli
