#pragma once
#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <vector>

#include "cli/files/manifest.h"
#include "cli/options/seeds.h"
#include "cli/options/shared_options.h"
#include "w2w/engine/inversion_run.h"
#include "w2w/lora/formats.h"

namespace w2w::cli {

/// The options of `w2w invert` as typed; an empty optional was not given.
struct InvertOptions {
  SharedOptions shared;
  std::vector<std::string> images, masks;
  std::optional<std::string> batch_file, name;
  std::optional<Shard> shard;
  std::string fit = "crop";
  std::vector<int64_t> mask_labels;  ///< classes of a face parser's map that count; empty: masks are white

  std::string preset = "real", method = "reference";
  std::optional<int64_t> components, steps;
  std::optional<double> learning_rate, weight_decay;
  int64_t batch = 1, accumulate = 1;
  std::string seed = drawn_seed;

  std::optional<std::string> checkpoint;
  std::optional<LoraFormat> lora;
  bool resume = false, no_images = false, list = false;
  double prior = 0;
  int64_t preview_every = 0;
  int64_t preview_steps = 20;
};

void add_invert_options(CLI::App& parser, InvertOptions& options);

/// The preset with what was given in its place, checked against the space's components: a preset
/// that wants more takes them all and says so, an explicit number is an Error(usage).
InversionOptions resolve(const InvertOptions& options, const Space& space, const Run& run);

}  // namespace w2w::cli
