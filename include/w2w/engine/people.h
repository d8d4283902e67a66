#pragma once
// People of a space: drawn, between others, and who of the training people is like them.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/engine/person_file.h"
#include "w2w/space/comparison.h"
#include "w2w/space/identity.h"
#include "w2w/space/neighbours.h"
#include "w2w/space/people_matrix.h"
#include "w2w/space/space.h"

namespace w2w {

/// What sampling and editing use: fewer are too coarse, many more entangle (docs/method.md).
constexpr int64_t reference_components = 1000;

/// `wanted` components of a default or preset, or all that are `available`, with a notice.
int64_t components_up_to(int64_t wanted, int64_t available, const Run& run = {});

/// A draw from the distribution of the training models.
struct SampleOptions {
  int64_t components = reference_components;
  double spread = 1;  ///< in standard deviations of the training models
  uint64_t seed = 0;
};

/// Components and spread that suit `space`, where they are not given. Error(usage) for more components than
/// it has.
SampleOptions sample_options(const Space& space, const std::optional<int64_t>& components,
                             const std::optional<double>& spread, const Run& run = {});

/// `count` people of the seeds from options.seed on, named "person-SEED", each as `sample` draws it.
PeopleMatrix sample_matrix(const Space& space, const SampleOptions& options, int64_t count,
                           const Run& run = {});

/// "person-7".
std::string sample_name(uint64_t seed);

/// draw_identity, with the model, trigger and history of a person of `space`.
Identity sample(const Space& space, const SampleOptions& options);

/// The point of the straight line from `from` (0) to `to` (1); of two lengths the shorter one is continued
/// with zeros, which is what it means in the space. The history holds both.
Identity between(const Space& space, const Identity& from, const Identity& to, double position,
                 const Run& run = {});

/// How far a person is from the mean one: the root mean square over the components of the coefficients in
/// standard deviations of the training models. People of the space have about 1; a person sampled with spread
/// s has s. Nothing for a space without statistics.
std::optional<double> typicality(const Space& space, const at::Tensor& coefficients);

/// Above this a found person is seldom one that the picture shows (docs/method.md, "Typicality").
constexpr double typical_limit = 2;

struct NamedNeighbour {
  std::string name;  ///< of the training model, or "row 12" where the space knows no names
  Neighbour neighbour;
};

/// nearest_models with names; ten of them, or all there are, without `count`.
std::vector<NamedNeighbour> nearest(const Space& space, const Identity& person,
                                    const std::optional<int64_t>& count, const Run& run = {});

/// The same among other people, by the same cosine; `row` counts these. Error(usage) for more than there are,
/// Error(failure) for one who does not fit the space.
std::vector<NamedNeighbour> nearest(const Space& space, const Identity& person,
                                    const std::vector<PersonFile>& among, const std::optional<int64_t>& count,
                                    const Run& run = {});

/// Two of several people.
struct ComparedPair {
  size_t first, second;
  Comparison comparison;
};

/// All pairs, in order. `each` gets one after the other.
void compare(const Space& space, const std::vector<Identity>& people, const Run& run,
             const std::function<void(const ComparedPair&)>& each);

}  // namespace w2w
