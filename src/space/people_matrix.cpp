#include "w2w/space/people_matrix.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "io/json_file.h"
#include "space/identity_metadata.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* names_key = "names";

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::malformed,
              fmt::format("not a readable matrix of people ({}): {}", path.string(), what));
}

void check_names(const std::vector<std::string>& names, int64_t rows, const fs::path& path) {
  if (static_cast<int64_t>(names.size()) != rows)
    fail(path, fmt::format("expected a name for each of {} rows, found {}", rows, names.size()));
  std::unordered_set<std::string_view> seen;
  for (const auto& name : names) {
    if (!is_file_name(name)) fail(path, fmt::format("expected valid file names, found '{}'", name));
    if (!seen.insert(name).second) fail(path, fmt::format("it names '{}' twice", name));
  }
}

std::vector<std::string> names_in(const Metadata& metadata, int64_t rows, const fs::path& path) {
  const auto found = metadata.find(names_key);
  if (found == metadata.end()) return {};
  try {
    auto names = parse_json(found->second).get<std::vector<std::string>>();
    check_names(names, rows, path);
    return names;
  } catch (const nlohmann::json::exception& error) {
    fail(path, fmt::format("expected a JSON list of texts as '{}': {}", names_key, json_reason(error)));
  }
}

/// The history of row `row`, where that of row 0 is `history`.
std::string history_of(const std::string& history, int64_t row) {
  if (is_json_too_deep(history)) return history;
  auto list = Json::parse(history, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array() || list.size() != 1 || !list[0].is_object()) return history;
  auto& entry = list[0];
  if (entry.value("command", Json()) != "sample") return history;
  const auto seed = entry.find("identity_seed");
  if (seed == entry.end() || !seed->is_number_unsigned()) return history;
  *seed = seed->get<uint64_t>() + static_cast<uint64_t>(row);
  return json_text(list);
}

}  // namespace

Identity PeopleMatrix::person(int64_t row) const {
  auto person = first;
  person.coefficients = coefficients[row].clone();
  if (row > 0) person.history = history_of(first.history, row);
  return person;
}

int64_t PeopleMatrix::row(const std::string& text, const std::string& file) const {
  const auto name = std::find(names.begin(), names.end(), text);
  if (name != names.end()) return name - names.begin();
  int64_t number = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = !text.empty() && status == std::errc{} && end == text.data() + text.size();
  if (is_number && number >= 0 && number < size()) return number;
  if (is_number || names.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("expected a row from 0 to {} ({}), found '{}'", size() - 1, file, text));
  }
  throw Error(ErrorKind::usage, fmt::format("unknown person '{}' ({})", text, file), suggest(text, names));
}

bool is_people_matrix(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  try {
    const auto file = read_tensor_file(path);
    const auto found = file.tensors.find(coefficients_tensor);
    if (file.format != "safetensors" || found == file.tensors.end() || found->second.dim() != 2) return false;
    return found->second.size(0) != 1 || file.metadata.contains(names_key);
  } catch (const Error&) {
    return false;
  }
}

PeopleMatrix read_people_matrix(const fs::path& path) {
  const auto file = read_safetensors(path);
  const auto found = file.tensors.find(coefficients_tensor);
  if (found == file.tensors.end()) fail(path, fmt::format("it lacks the tensor '{}'", coefficients_tensor));
  const auto& values = found->second;
  if (values.dim() != 2 || values.numel() == 0 || !values.is_floating_point()) {
    fail(path, fmt::format("expected '{}' [n, k], found [{}] of {}", coefficients_tensor,
                           fmt::join(values.sizes(), ", "), c10::toString(values.scalar_type())));
  }
  PeopleMatrix people;
  take_metadata(people.first, file.metadata, path);
  people.names = names_in(file.metadata, values.size(0), path);
  people.coefficients = values.to(at::kFloat);
  if (!at::isfinite(people.coefficients).all().item<bool>()) {
    throw Error(ErrorKind::malformed, fmt::format("coefficients are not all finite ({})", path.string()));
  }
  return people;
}

void write_people_matrix(const OutputPath& output, const PeopleMatrix& people) {
  const auto values = people.coefficients.to(at::kCPU, at::kFloat).contiguous();
  check_finite_to_write(values, output.path);
  auto metadata = metadata_of(people.first);
  if (!people.names.empty()) metadata[names_key] = json_text(Json(people.names));
  write_safetensors(output, {{coefficients_tensor, values}}, metadata);
}

}  // namespace w2w
