#include "cli/commands/import_lora.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "cli/commands/history.h"
#include "w2w/base/error.h"
#include "w2w/base/sha256.h"
#include "w2w/io/mapped_file.h"
#include "w2w/lora/algebra.h"
#include "w2w/lora/formats.h"
#include "w2w/space/projection.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

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
      fmt::format("LoRA ({}) changes {} matrices that are not part of the space, {} of its whole change: {}",
                  path, contents.others.size(), percent(share_of_change(contents.others, contents.lora)),
                  first_modules(contents.others)),
      "--partial leaves them out");
}

int64_t highest_rank(const Lora& lora) {
  int64_t rank = 0;
  for (const auto& [module, factors] : lora) rank = std::max(rank, factors.rank());
  return rank;
}

std::string history_with_import(const std::string& before, const fs::path& file, int64_t components) {
  const auto content = MappedFile::open(file);
  return longer_history(before, {{"command", "import"},
                                 {"file", file.filename().string()},
                                 {"sha256", Sha256().update(content->bytes().data(), content->size()).hex()},
                                 {"components", components}});
}

void say(const std::string& path, const Json& facts, const Lora& others, int64_t rank) {
  const auto fact = [&](const char* name) { return percent(facts[name].get<double>()); };
  if (facts.contains("left_out")) {
    warn(fmt::format("{}: {} matrices outside the space are left out, {} of the whole change: {}", path,
                     others.size(), fact("left_out"), first_modules(others)));
  }
  if (rank > 1) {
    notice(fmt::format("{}: reduced from rank {} to 1, which changes its weights by {}", path, rank,
                       fact("outside_rank_one")));
  }
  notice(
      fmt::format("{}: {} of what makes this person lies outside the space; the change of weights that the "
                  "coefficients give is off by {}",
                  path, fact("outside"), fact("outside_change")));
}

}  // namespace

ImportedLora import_lora(const IdentitySource& source, const Space& space, int64_t components, bool partial,
                         const Progress& progress) {
  const auto contents = read_lora_contents(source.path, space.layout().targets());
  if (!contents.others.empty() && !partial) refuse_others(source.path, contents);
  const auto projection = project(space, contents.lora, components, progress);

  ImportedLora imported{describe_lora(source.path), {}};
  auto& identity = imported.identity;
  identity.coefficients = projection.coefficients;
  set_space(identity, space);
  identity.model = space.data().base_model;
  identity.history = history_with_import(identity.history, lora_file(source.path), components);

  const auto rank = highest_rank(contents.lora);
  imported.facts = {{"identity", source.path},
                    {"components", components},
                    {"outside", projection.outside},
                    {"outside_change", projection.change_outside},
                    {"rank", rank},
                    {"outside_rank_one", projection.rank_outside}};
  if (!contents.others.empty()) {
    imported.facts["left_out_matrices"] = contents.others.size();
    imported.facts["left_out"] = share_of_change(contents.others, contents.lora);
  }
  say(source.path, imported.facts, contents.others, rank);
  return imported;
}

Identity coefficients_of(const IdentitySource& source, const Space& space, const Progress& progress) {
  if (!source.coefficients) return import_lora(source, space, space.components(), false, progress).identity;
  check_identity_fits(*source.coefficients, space, source.path);
  auto identity = *source.coefficients;
  set_space(identity, space);
  return identity;
}

}  // namespace w2w::cli
