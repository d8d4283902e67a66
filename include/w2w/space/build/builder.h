#pragma once
// Makes a space of training models: the principal components of their standardised weight vectors
// (docs/method.md, "Building a space").

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/lora/target.h"
#include "w2w/space/build/model_source.h"
#include "w2w/space/space.h"

namespace w2w {

/// How the components are found.
enum class BuildMethod {
  automatic,   ///< exact up to most_automatic_exact models, randomized above
  exact,       ///< the whole Gram matrix and its eigenvectors: 4 n^2 numbers of f64 in memory
  randomized,  ///< a block Krylov space: an approximation, whose error is measured
};

struct BuildOptions {
  std::filesystem::path output;  ///< the space folder; OUTPUT.building beside it until it is whole
  bool force = false;            ///< replaces the output, and what an unfinished build of other models left
  std::optional<int64_t> components;    ///< none: as many as the models give, at most default_components
  std::optional<int64_t> projections;   ///< coefficients kept of each model; none: all
  c10::ScalarType dtype = c10::kFloat;  ///< of the components as stored: f32, f16 or bf16
  bool canonical =
      false;             ///< |A| = |B| and one sign for every pair of factors; always when a rank is above 1
  bool partial = false;  ///< leave out what a LoRA changes beside the model's linear layers
  std::vector<std::string> names;                ///< of all models, in order, instead of the sources' own
  std::filesystem::path names_file;              ///< where they are from, for messages
  std::optional<std::filesystem::path> weights;  ///< keep the collected matrix here

  BuildMethod method = BuildMethod::automatic;
  double oversample = 4;           ///< randomized: vectors of the Krylov basis for each component
  int64_t passes = 8;              ///< randomized: over all models
  uint64_t seed = 0;               ///< randomized
  double save_every = 60;          ///< seconds between saved states
  c10::Device device = c10::kCPU;  ///< where products and eigenvectors are computed, in f64 on any

  Targets linears;  ///< every linear layer of the base model
  double alpha = 27;
  std::string base_model;
  SpaceDefaults defaults;

  /// Error(usage) for values that cannot be.
  void check() const;
};

constexpr int64_t default_components = 1000;  ///< what sampling and editing use
/// Gram matrix and eigenvectors of so many models need 8.6 GB; above, the eigenvectors alone take longer than
/// the eight passes of the Krylov space.
constexpr int64_t most_automatic_exact = 16'384;

struct BuildReport {
  int64_t models = 0, parameters = 0, moving = 0, components = 0;
  bool exact = true, canonical = false;
  int64_t basis = 0;                               ///< randomized: vectors asked of the Krylov basis
  double explained = 0;                            ///< share of the total variance
  double residual_median = 0, residual_worst = 0;  ///< |G u - s^2 u| / s^2 over the components
  std::string hash;
};

/// Collects the models, finds the components and writes the space, which appears whole or not at all. After
/// an interruption of any kind the same call goes on and comes to the same bytes; Error(interrupted) says so.
/// Error(usage) for more components than models allow ("too few models"), Error(failure) for models that
/// depend on each other; those of collect_models.
BuildReport build_space(const std::vector<ModelSource>& sources, const BuildOptions& options,
                        const Run& run = {});

}  // namespace w2w
