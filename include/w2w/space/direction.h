#pragma once
// Directions of the weight space along which one attribute of a person changes (Dravid et al. 2024, section
// 3.2).

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/output_path.h"
#include "w2w/space/held_out.h"
#include "w2w/space/space.h"

namespace w2w {

/// The linear classifiers of m attributes (direction_fit.h), as numbers. With projections p_i of the training
/// models, s_a the deviation of <p_i, d_a> / |d_a|.
struct Directions {
  std::vector<std::string> attributes;
  at::Tensor vectors;     ///< d, f64 [m, k], on the first k components
  at::Tensor covariance;  ///< f64 [m, m], unbiased, of <p_i, d_a>: gives the deviation of every combination
  at::Tensor largest;     ///< f64 [m]: largest <p_i, d_a> / |d_a|, the paper's unit of strength
  at::Tensor smallest;    ///< f64 [m], likewise; undefined where a file does not say
  at::Tensor counts;      ///< i64 [m, 2]: training models with and without the attribute
  std::string space_hash, basis = {};     ///< of the space
  std::string method = "lstsq";           ///< one of direction_methods()
  std::optional<double> penalty = {};     ///< of methods that have one
  std::vector<std::string> without = {};  ///< taken out jointly of every vector but their own
  std::optional<HeldOut> held_out = {};   ///< how it went without a part of the models, if it was tested

  int64_t components() const { return vectors.size(1); }
  /// Whether an attribute was taken out of the others when they were fitted.
  bool lacks(const std::string& attribute) const;
  /// Error(usage) with the nearest name.
  int64_t index(const std::string& attribute) const;
  /// s_a.
  double deviation(int64_t attribute) const;
};

/// The share of the training models' variance, over all coefficients that the space has statistics of, that
/// lies along an attribute's direction; none for a space without statistics.
std::optional<double> variance_share(const Directions& directions, int64_t attribute, const Space& space);

/// How the directions of other attributes are taken out of one.
enum class Debias {
  joint,       ///< the part in the span of all others, by least squares: no other classifier answers any more
  sequential,  ///< one after the other, as in the reference's notebooks: the first ones come partly back
};

/// One attribute's direction without the others' part.
struct EditDirection {
  at::Tensor vector;  ///< f64 [k], in the units of Directions::vectors
  double deviation;   ///< unbiased, of the training models' projections on the unit vector

  /// What is added to coefficients, f64 [k]: `strength` deviations along the unit vector, or with `raw` times
  /// the vector itself.
  at::Tensor step(double strength, bool raw) const;
};

/// Attributes in `without` that were taken out when the directions were fitted need not be known any more.
/// Error(usage) when it holds the attribute itself, or others besides those; Error(failure) when nothing of
/// the attribute is left.
EditDirection edit_direction(const Directions& directions, const std::string& attribute,
                             const std::vector<std::string>& without, Debias debias = Debias::joint);

/// coefficients + step, f32; the shorter one counts as continued with zeros, which is what it means in the
/// space.
at::Tensor edited(const at::Tensor& coefficients, const at::Tensor& step);

/// directions.safetensors: `directions` f32, `covariance` f64, `largest` f64, `smallest` f64 and `counts` i64
/// as above; metadata w2w.format "1", w2w.space (Space::hash), w2w.basis (Space::basis) where it has one,
/// w2w.attributes, a JSON list of names, w2w.method, w2w.penalty where the method has one, w2w.without, a
/// JSON list, where something was taken out, and w2w.held_out, a JSON object, where there is a test.
/// `smallest` and the last four may be missing. Reading is strict: Error(malformed) for other shapes, types,
/// names that repeat or values that are not finite, Error(failure) for another space.
void write_directions(const OutputPath& output, const Directions& directions);
Directions read_directions(const std::filesystem::path& path, const Space& space);

}  // namespace w2w
