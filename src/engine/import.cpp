#include "w2w/engine/import.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/history.h"
#include "w2w/base/error.h"
#include "w2w/base/sha256.h"
#include "w2w/io/mapped_file.h"
#include "w2w/lora/algebra.h"
#include "w2w/lora/formats.h"
#include "w2w/space/projection.h"

namespace w2w {
namespace {

/// 0.1234 -> "12 %", 0.01234 -> "1.2 %", 0.00001 -> "0.001 %"
std::string percent(double share) {
  const double value = 100 * share;
  if (value >= 9.95 || value == 0) return fmt::format("{:.0f} %", value);
  return value >= 0.001 ? fmt::format("{:.2g} %", value) : "less than 0.001 %";
}

double squared_size(const Lora& lora) {
  double sum = 0;
  for (const auto& [module, factors] : lora) sum += inner_product(factors, factors);
  return sum;
}

/// The share of the whole weight change (Frobenius norm) that `part` is.
double share_of_change(const Lora& part, const Lora& rest) {
  const double own = squared_size(part), whole = own + squared_size(rest);
  return whole > 0 ? std::sqrt(own / whole) : 0;
}

[[noreturn]] void refuse_others(const std::string& path, const LoraContents& contents) {
  throw Error(
      ErrorKind::failure,
      fmt::format("LoRA ({}) changes {} matrices that are not part of the space, {} of its total change: {}",
                  path, contents.others.size(), percent(share_of_change(contents.others, contents.lora)),
                  first_modules(contents.others)),
      "<partial> ignores them");
}

int64_t highest_rank(const Lora& lora) {
  int64_t rank = 0;
  for (const auto& [module, factors] : lora) rank = std::max(rank, factors.rank());
  return rank;
}

std::string history_with_import(const std::string& before, const PersonFile& person, int64_t components,
                                const Run& run) {
  const auto file = lora_file(person.path);
  const auto content = MappedFile::open(file);
  const auto hash = Sha256().update(content->bytes().data(), content->size()).hex();
  return longer_history(before,
                        {{"command", "import"},
                         {"file", person.bytes ? person.stem : file.filename().string()},
                         {"sha256", hash},
                         {"components", components}},
                        run);
}

void say(const std::string& path, const ImportedLora& imported, const Lora& others, const Run& run) {
  if (imported.left_out > 0) {
    run.warn(fmt::format("{}: {} matrices outside the space are ignored, {} of the total change: {}", path,
                         imported.left_out, percent(imported.left_out_change), first_modules(others)));
  }
  if (imported.rank > 1) {
    run.notice(fmt::format("{}: reduced from rank {} to 1, which changes its weights by {}", path,
                           imported.rank, percent(imported.rank_outside)));
  }
  run.notice(
      fmt::format("{}: residual outside the space: {}; relative error of the "
                  "weight change: {}",
                  path, percent(imported.outside), percent(imported.change_outside)));
}

}  // namespace

ImportedLora import_lora(const PersonFile& person, const Space& space, int64_t components, bool partial,
                         const Run& run) {
  const auto contents = read_lora_contents(person.path, space.layout().targets());
  if (!contents.others.empty() && !partial) refuse_others(person.path, contents);
  const auto projection = project(space, contents.lora, components, run);

  ImportedLora imported;
  auto& identity = imported.identity;
  identity = describe_lora(person.path);
  identity.coefficients = projection.coefficients;
  set_space(identity, space);
  identity.model = space.data().base_model;
  identity.history = history_with_import(identity.history, person, components, run);

  imported.components = components;
  imported.rank = highest_rank(contents.lora);
  imported.outside = projection.outside;
  imported.change_outside = projection.change_outside;
  imported.rank_outside = projection.rank_outside;
  imported.left_out = static_cast<int64_t>(contents.others.size());
  imported.left_out_change = share_of_change(contents.others, contents.lora);
  say(person.path, imported, contents.others, run);
  return imported;
}

Identity coefficients_of(const PersonFile& person, const Space& space, const Run& run) {
  if (!person.coefficients) return import_lora(person, space, space.components(), false, run).identity;
  check_identity_fits(*person.coefficients, space, person.path);
  auto identity = *person.coefficients;
  set_space(identity, space);
  return identity;
}

}  // namespace w2w
