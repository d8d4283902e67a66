#pragma once
// The weights2weights space: an affine space of low-rank changes of one base model, theta(c) = (c V^T) * std
// + mean.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/space/layout.h"

namespace w2w {

/// What to render with when nothing else is said.
struct SpaceDefaults {
  std::string prompt = "sks person";
  std::string negative_prompt;
  double cfg_scale = 3.0;
  int64_t steps = 50;
  double spread = 1.0;  ///< of the identity draw, in standard deviations of the training models
  int64_t width = 0;    ///< pixels; 0: the model's own size
  int64_t height = 0;
};

/// What a space consists of, whatever files it came from.
struct SpaceData {
  std::string base_model;
  int64_t model_layers = 0;        ///< linear layers of the base model's UNet, or 0: unknown
  std::optional<Layout> layout;    ///< unknown where the folder names no modules, until Space::bind
  int64_t rank = 1;                ///< of such a layout
  double alpha = 27;               ///< likewise
  at::Tensor mean, std;            ///< f32 [P]
  at::Tensor components;           ///< [k, P], f32, f16 or bf16; a view of a mapped file, with any strides
  at::Tensor projection_mean;      ///< f32 [k'], or undefined: computed from the projections
  at::Tensor projection_std;       ///< f32 [k'], unbiased
  at::Tensor explained_variance;   ///< f32 [k], or undefined: along each component, over the training models
  double total_variance = 0;       ///< over all standardised parameters, or 0: unknown
  std::string build = "{}";        ///< JSON object: how the components were found, and how exactly
  at::Tensor projections;          ///< [n, k'] coefficients of the training models, or undefined
  std::vector<std::string> names;  ///< of the training models, as many as projections has rows, or empty
  int64_t models = 0;              ///< training models
  SpaceDefaults defaults;
};

/// Mean and unbiased standard deviation of the training models' coefficients, f32 [k'].
struct ProjectionStatistics {
  at::Tensor mean, std;
};

class Space {
 public:
  /// Opens a w2w space folder (space.json, basis.safetensors) or the released folder (V.pt, mean.pt, std.pt,
  /// proj_*pc.pt), which is mapped: no component is read before it is used. With `linears` it is bound to
  /// them. Error(not_found) names the files expected, Error(malformed) a wrong shape; the errors of bind.
  static Space open(const std::filesystem::path& folder, const Targets* linears = nullptr,
                    const Run& run = {});

  /// Checks that the space belongs to the model whose linear layers are `linears`; one that names no modules
  /// is taken to be of their attention_targets, and has a layout from then on. Error(failure) for a model
  /// that does not fit.
  void bind(const Targets& linears, const Run& run = {});

  /// `origin`: the folder, for messages. Error(malformed) when the shapes do not agree with each other.
  Space(SpaceData data, std::string origin);

  int64_t parameters() const { return data_.mean.numel(); }        ///< P
  int64_t components() const { return data_.components.size(0); }  ///< k
  const SpaceData& data() const { return data_; }
  const std::string& origin() const { return origin_; }

  /// Error(failure) for a folder that names no modules and is not bound to a model.
  const Layout& layout() const;

  /// SHA-256 over the bytes of mean, then std, as little-endian f32: the same for the released and the
  /// compact form.
  const std::string& hash() const { return hash_; }

  /// How the components were found ("exact", or "randomized" with all that it depends on), or empty where the
  /// space does not say: spaces of the same models have one hash, but other components when they were found
  /// otherwise. Rounding aside, what is found in the same way is the same on every machine, whatever it is
  /// stored as.
  const std::string& basis() const { return basis_; }

  /// The first k components, a view [k, P] in the dtype of the file. Error(usage) unless 1 <= k <=
  /// components().
  at::Tensor components(int64_t k) const;

  /// (c V^T) * std + mean, f32 [P], for c f32 [k], k <= components(). One product; components stored in 16
  /// bits are converted a few megabytes at a time.
  at::Tensor theta(const at::Tensor& coefficients) const;

  /// x V_k for a vector x [P]: its products with the first k components, f32 [k]. With x = (theta - mean) /
  /// std these are the coefficients of theta, when the components are orthonormal; with x = dL/dtheta * std
  /// they are dL/dc. One product, as theta.
  at::Tensor scores(const at::Tensor& x, int64_t k) const;

  /// layout().factors(theta(coefficients)).
  Lora lora(const at::Tensor& coefficients) const { return layout().factors(theta(coefficients)); }

  /// Read, or computed from the projections when first asked for (thread-safe). Error(failure) when the space
  /// has neither.
  const ProjectionStatistics& projection_statistics() const;

 private:
  struct Lazy;
  void check_layout() const;
  /// Components lie one after the other (the compact form), rather than as columns (V.pt).
  bool is_compact() const { return data_.components.stride(1) == 1; }

  SpaceData data_;
  std::string origin_, hash_, basis_;
  std::shared_ptr<Lazy> lazy_;
};

/// Whether the folder holds a space, whole or not, that Space::open would look at.
bool is_space_folder(const std::filesystem::path& folder);

/// Writes the compact form of docs/formats.md, the folder made if absent: components transposed to [k, P] in
/// `dtype`, space.json last. The same data give the same bytes. Needs data.layout.
void write_space(const std::filesystem::path& folder, const SpaceData& data, c10::ScalarType dtype);

}  // namespace w2w
