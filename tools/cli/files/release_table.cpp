#include "cli/files/release_table.h"

#include <fmt/format.h>

#include <cmath>

#include "cli/terminal/terminal.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;
using State = ReleaseFile::State;

struct Amount {
  double value;
  const char* unit;
};

Amount amount_of(int64_t bytes) {
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(units); ++unit) value /= 1000;
  return {value, units[unit]};
}

std::string number_text(const Amount& amount) {
  const bool whole = *amount.unit == 'B' || amount.value >= 99.95;
  return fmt::format("{:.{}f}", amount.value, whole ? 0 : amount.value >= 9.995 ? 1 : 2);
}

}  // namespace

std::string size_text(int64_t bytes) {
  const auto amount = amount_of(bytes);
  return number_text(amount) + " " + amount.unit;
}

std::string mark_of(const ReleaseFile& file) {
  switch (file.state) {
    case State::whole:
      return "ok";
    case State::cut:
      return "CUT";
    case State::wrong:
      return "WRONG";
    case State::missing:
      break;
  }
  return file.required ? "MISSING" : "-";
}

std::string size_of(const ReleaseFile& file) {
  if (file.state == State::missing)
    return file.expected_size > 0 ? "(" + size_text(file.expected_size) + ")" : "";
  if (file.state != State::cut || file.expected_size <= file.size) return size_text(file.size);
  const auto size = amount_of(file.size), expected = amount_of(file.expected_size);
  const bool same_unit = std::string_view(size.unit) == expected.unit;
  return fmt::format("{} of {}", same_unit ? number_text(size) : size_text(file.size),
                     size_text(file.expected_size));
}

Json json_of(const ReleaseFile& file) {
  constexpr const char* states[] = {"ok", "cut", "wrong", "missing"};
  return {{"name", file.name},
          {"state", states[static_cast<int>(file.state)]},
          {"required", file.required},
          {"needed_for", file.needed_for},
          {"size", file.size},
          {"expected_size", file.expected_size > 0 ? Json(file.expected_size) : Json()},
          {"found", file.found}};
}

std::string fetch_command(const std::vector<ReleaseFile>& files, const fs::path& folder) {
  std::string names;
  bool again = false;
  for (const auto& file : files) {
    if (file.state == State::whole || (file.state == State::missing && file.needed_for.empty())) continue;
    names += " files/" + file.name;
    again |= file.state != State::missing;
  }
  if (names.empty()) return {};
  auto place = fs::absolute(folder).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  // The release keeps its files in a folder of this name.
  const bool own_name = place.filename() == "files";
  auto target = folder.lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  target = own_name
               ? (target.has_parent_path() ? target.parent_path() : fs::path(target == "files" ? "." : ".."))
               : target;
  auto command = fmt::format("hf download snap-research/weights2weights{}{} --local-dir {}", names,
                             again ? " --force-download" : "", shell_quoted(target.string()));
  if (!own_name) command += fmt::format(" && mv {0}/files/* {0}", shell_quoted(target.string()));
  return command;
}

}  // namespace w2w::cli
