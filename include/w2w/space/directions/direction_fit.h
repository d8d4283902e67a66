#pragma once
// Finding directions: linear classifiers of attributes, how well they tell people apart, and their parts that
// no other attribute shares.

#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/space/direction.h"
#include "w2w/space/labels.h"

namespace w2w {

/// How the vector d of an attribute is found from the projections p_i [k] of the labelled training models and
/// their labels y_i, +1 or -1; all in f64.
///
/// Every d is the normal of a linear classifier in the space of coefficients: a person's answer is <c, d>,
/// and c + s d raises it by s |d|^2. Debiasing needs it so: a change orthogonal to another attribute's d
/// leaves that classifier's answer as it is. (The other convention, the change of a person whose whitened
/// coefficients move along the classifier, is covariance times d; for the normal of a Gaussian discriminant
/// that is the mean difference, which is a method of its own here.)
enum class DirectionMethod {
  /// Least sum_i (<p_i, d> - y_i)^2, without an intercept, as the reference does. Where the columns of the
  /// projections are orthogonal, as PCA scores are, d is <column, labels> / |column|^2; whether they are is
  /// seen in the residual of the normal equations, which are solved in full otherwise (minimum norm when they
  /// are singular).
  lstsq,
  /// Mean of the models with the attribute minus mean of those without: `raw` strength 1 makes one into the
  /// other. The classifier of the nearer mean; what goes with an attribute in the data goes with it here.
  mean_difference,
  /// Least mean_i log(1 + exp(-y_i (<w, z_i> + b))) + penalty/2 |w|^2 with an intercept b, by Newton's
  /// method;
  /// z are the projections less their mean in units of their deviation, both over all training models, so
  /// that
  /// no component is held back for its scale. d = w / deviation: <p, d> is the logit up to a constant.
  logistic,
  /// (P^T P + penalty * mean_j |P_j|^2)^-1 P^T y: least squares that trusts components less the less the
  /// training models differ along them. The unit of the penalty is the mean squared length of a column of P.
  ridge,
};

/// The names of the methods, in the order of the enumeration: "lstsq", "mean-difference", ...
const std::vector<std::string>& direction_methods();

/// Whether a method has a penalty, and the one it takes unless told: 0.1 for ridge and 0.01 for logistic,
/// about where held-out accuracy was highest in the demo world. Both are independent of the number of models
/// and of the scale of the projections.
std::optional<double> default_penalty(DirectionMethod method);

struct DirectionFit {
  std::vector<std::string> attributes;  ///< columns of the labels, each once
  int64_t components = 0;               ///< k, 1 to the columns of the projections and the space's components
  DirectionMethod method = DirectionMethod::lstsq;
  std::optional<double> penalty = {};  ///< of logistic (above 0) or ridge; default_penalty
  /// Attributes whose part is taken out of every direction but their own, jointly (Debias::joint). They need
  /// not be among `attributes`.
  std::vector<std::string> without = {};
};

/// The directions of `fit.attributes`. Error(usage) for components, penalties or names that do not fit;
/// Error(failure) for an attribute that does not differ along the components, or of which nothing is left
/// without the others; Error(malformed) naming a training model whose projections are not finite; the errors
/// of Labels::column.
Directions fit_directions(const Space& space, const Labels& labels, const DirectionFit& fit,
                          const Run& run = {});

/// bool [models]: floor(share * models + 1/2) of them, the first of
/// torch.randperm(models, generator=torch.Generator("cpu").manual_seed(seed)).
at::Tensor held_out_models(int64_t models, const Holdout& holdout);

/// Of each attribute, before anything is taken out.
HeldOut held_out_scores(const Space& space, const Labels& labels, const DirectionFit& fit,
                        const Holdout& holdout, const Run& run = {});

/// Whether such a test speaks against the labels: an area under the curve of 0.55 or less, or one that labels
/// drawn at random reach, within two standard deviations of Mann and Whitney's statistic, up to 0.75.
bool is_chance(const HeldOutScore& score);

/// Cosines between all directions, f64 [m, m].
at::Tensor cosines(const Directions& directions);

}  // namespace w2w
