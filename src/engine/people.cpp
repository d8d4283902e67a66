#include "w2w/engine/people.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine/history.h"
#include "w2w/base/error.h"
#include "w2w/space/labels.h"
#include "w2w/space/sampling.h"

namespace w2w {
namespace {

constexpr double largest_usual_spread = 2;  ///< the root mean square of a training model's scores is about 1

constexpr int64_t usual_neighbours = 10;

at::Tensor on_line(const at::Tensor& from, const at::Tensor& to, double position) {
  const auto length = std::max(from.numel(), to.numel());
  const auto padded = [&](const at::Tensor& c) { return at::constant_pad_nd(c, {0, length - c.numel()}); };
  return padded(from) * (1 - position) + padded(to) * position;
}

}  // namespace

int64_t components_up_to(int64_t wanted, int64_t available, const Run& run) {
  if (available < wanted) run.notice(fmt::format("the space has {} components: all are used", available));
  return std::min(wanted, available);
}

SampleOptions sample_options(const Space& space, const std::optional<int64_t>& components,
                             const std::optional<double>& spread, const Run& run) {
  SampleOptions options;
  if (components) {
    space.components(*components);  // refuses a number above the space's
    options.components = *components;
  } else {
    const auto known = space.projection_statistics().mean.numel();
    options.components = components_up_to(reference_components, std::min(space.components(), known), run);
  }
  options.spread = spread.value_or(space.data().defaults.spread);
  if (spread && *spread > largest_usual_spread) {
    run.notice(
        fmt::format("spread {:g}: these people lie {:g} times as far from the mean as the training "
                    "models do; about 1 is usual",
                    *spread, *spread));
  }
  return options;
}

Identity sample(const Space& space, const SampleOptions& options) {
  auto person = draw_identity(space, options.components, options.spread, options.seed);
  person.model = space.data().base_model;
  person.history = new_history({{"command", "sample"},
                                {"identity_seed", options.seed},
                                {"components", options.components},
                                {"spread", options.spread}});
  person.trigger = space.data().defaults.prompt;
  return person;
}

std::string sample_name(uint64_t seed) { return fmt::format("person-{}", seed); }

PeopleMatrix sample_matrix(const Space& space, const SampleOptions& options, int64_t count, const Run& run) {
  PeopleMatrix people;
  people.coefficients = at::empty({count, options.components}, at::kFloat);
  auto one = options;
  for (int64_t row = 0; row < count; ++row) {
    run.check_stop();
    one.seed = options.seed + static_cast<uint64_t>(row);
    people.coefficients[row].copy_(draw_identity(space, one.components, one.spread, one.seed).coefficients);
    people.names.push_back(sample_name(one.seed));
  }
  people.first = sample(space, options);
  people.first.coefficients = at::Tensor();
  return people;
}

Identity between(const Space& space, const Identity& from, const Identity& to, double position,
                 const Run& run) {
  auto person = from;
  person.coefficients = on_line(from.coefficients, to.coefficients, position);
  set_space(person, space);
  person.model = space.data().base_model;
  person.history = new_history({{"command", "interpolate"},
                                {"position", position},
                                {"from", history_list(from.history, run)},
                                {"to", history_list(to.history, run)}});
  return person;
}

std::optional<double> typicality(const Space& space, const at::Tensor& coefficients) {
  const auto& data = space.data();
  if (!data.projections.defined() && !data.projection_mean.defined()) return {};
  const auto& [mean, std] = space.projection_statistics();
  const auto known = std::min(coefficients.numel(), std.numel());
  const auto z =
      (coefficients.narrow(0, 0, known).to(at::kDouble) - mean.narrow(0, 0, known)) / std.narrow(0, 0, known);
  return z.square().mean().sqrt().item<double>();
}

std::vector<NamedNeighbour> nearest(const Space& space, const Identity& person,
                                    const std::optional<int64_t>& count, const Run& run) {
  const auto& projections = space.data().projections;
  const auto models = projections.defined() ? projections.size(0) : usual_neighbours;
  const auto found = nearest_models(space, person.coefficients,
                                    count.value_or(std::min(usual_neighbours, std::max<int64_t>(1, models))));
  const auto names = training_names(space, run);
  std::vector<NamedNeighbour> named;
  for (const auto& neighbour : found) {
    const auto row = static_cast<size_t>(neighbour.row);
    named.push_back({names.empty() ? fmt::format("row {}", row) : names[row], neighbour});
  }
  return named;
}

std::vector<NamedNeighbour> nearest(const Space& space, const Identity& person,
                                    const std::vector<PersonFile>& among, const std::optional<int64_t>& count,
                                    const Run& run) {
  const auto people = static_cast<int64_t>(among.size());
  const auto wanted = count.value_or(std::min(usual_neighbours, people));
  if (wanted < 1 || wanted > people) {
    throw Error(
        ErrorKind::usage,
        fmt::format("expected 1 to {} neighbours, as many as there are people, found {}", people, wanted));
  }
  const Comparer comparer(space);
  if (!comparer(person.coefficients, person.coefficients).cosine) refuse_mean_person();
  std::vector<NamedNeighbour> all;
  for (const auto& other : among) {
    run.check_stop();
    check_identity_fits(*other.coefficients, space, other.path);
    const auto cosine = comparer(person.coefficients, other.coefficients->coefficients).cosine.value_or(0);
    all.push_back({other.stem, {static_cast<int64_t>(all.size()), cosine}});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.neighbour.cosine > b.neighbour.cosine; });
  all.resize(static_cast<size_t>(wanted));
  return all;
}

void compare(const Space& space, const std::vector<Identity>& people, const Run& run,
             const std::function<void(const ComparedPair&)>& each) {
  const Comparer comparer(space);
  for (size_t a = 0; a < people.size(); ++a) {
    run.check_stop();
    for (size_t b = a + 1; b < people.size(); ++b)
      each({a, b, comparer(people[a].coefficients, people[b].coefficients)});
  }
}

}  // namespace w2w
