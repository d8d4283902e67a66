#pragma once
// Directions of the weight space along which one attribute of a person changes (Dravid et al. 2024, section
// 3.2).

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "w2w/space/labels.h"
#include "w2w/space/space.h"

namespace w2w {

/// The linear classifiers of m attributes, as numbers. With projections p_i of the training models, s_a the
/// deviation of <p_i, d_a> / |d_a|.
struct Directions {
  std::vector<std::string> attributes;
  at::Tensor vectors;     ///< d, f64 [m, k]: least squares of the labels on the first k projections
  at::Tensor covariance;  ///< f64 [m, m], unbiased, of <p_i, d_a>: gives the deviation of every combination
  at::Tensor largest;     ///< f64 [m]: largest <p_i, d_a> / |d_a|, the paper's unit of strength
  at::Tensor counts;      ///< i64 [m, 2]: training models with and without the attribute
  std::string space_hash;

  int64_t components() const { return vectors.size(1); }
  /// Error(usage) with the nearest name.
  int64_t index(const std::string& attribute) const;
  /// s_a.
  double deviation(int64_t attribute) const;
};

/// For each attribute the d that minimises sum_i (<p_i, d> - label_i)^2 over the labelled training models, in
/// f64 and without an intercept, as the reference does. Where the columns of the projections are orthogonal,
/// as PCA scores are, this is <column, labels> / |column|^2; whether they are is seen in the residual of the
/// normal equations, which are solved in full otherwise (minimum norm when they are singular). Error(usage)
/// unless 1 <= k <= the columns of the projections and the space's components.
Directions fit_directions(const Space& space, const Labels& labels,
                          const std::vector<std::string>& attributes, int64_t k);

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

/// Error(usage) when `without` holds the attribute itself, Error(failure) when nothing of it is left.
EditDirection edit_direction(const Directions& directions, const std::string& attribute,
                             const std::vector<std::string>& without, Debias debias = Debias::joint);

/// coefficients + step, f32; the shorter one counts as continued with zeros, which is what it means in the
/// space.
at::Tensor edited(const at::Tensor& coefficients, const at::Tensor& step);

/// directions.safetensors: `directions` f32, `covariance` f64, `largest` f64 and `counts` i64 as above;
/// metadata w2w.format "1", w2w.space (Space::hash) and w2w.attributes, a JSON list of names. Reading is
/// strict: Error(malformed) for other shapes, types, names that repeat or values that are not finite,
/// Error(failure) for another space.
void write_directions(const std::filesystem::path& path, const Directions& directions);
Directions read_directions(const std::filesystem::path& path, const Space& space);

}  // namespace w2w
