#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/commands/file_description.h"
#include "cli/options/option_values.h"
#include "cli/terminal/reporter.h"
#include "cli/terminal/terminal.h"
#include "w2w/base/error.h"

namespace w2w::cli {
namespace {

constexpr size_t tensors_shown = 20, value_length_shown = 160;

/// Strings without quotes, lists with commas.
std::string fact_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const auto& part : value) parts.push_back(fact_text(part));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string one_line(std::string text, bool whole) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (whole || text.size() <= value_length_shown) return text;
  size_t end = value_length_shown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // not inside a UTF-8 character
  return text.substr(0, end) + " ...";
}

void print_table(Reporter& reporter, const std::vector<std::pair<std::string, std::string>>& rows) {
  size_t column = 0;
  for (const auto& row : rows) column = std::max(column, display_width(row.first));
  for (const auto& [name, value] : rows) {
    reporter.line(
        printable(fmt::format("  {}{}  {}", name, std::string(column - display_width(name), ' '), value)));
  }
}

void print_description(Reporter& reporter, const std::string& path, const FileDescription& file) {
  const bool whole = reporter.options().verbose;
  reporter.line(fmt::format("{}: {}", bold(path, Stream::out), file.title));
  std::vector<std::pair<std::string, std::string>> rows;
  // Facts are never cut: one of them is a command to paste.
  for (const auto& [name, value] : file.facts.items()) {
    std::string label = name;
    std::replace(label.begin(), label.end(), '_', ' ');
    rows.emplace_back(label, fact_text(value));
  }
  print_table(reporter, rows);
  if (!file.metadata.empty()) {
    reporter.line("metadata");
    rows.clear();
    for (const auto& [name, value] : file.metadata) rows.emplace_back(name, one_line(value, whole));
    print_table(reporter, rows);
  }
  if (file.tensors.empty()) return;
  reporter.line(fmt::format("{} tensor{}", file.tensors.size(), file.tensors.size() == 1 ? "" : "s"));
  const size_t shown = whole ? file.tensors.size() : std::min(tensors_shown, file.tensors.size());
  rows.clear();
  for (size_t i = 0; i < shown; ++i) {
    const auto& tensor = file.tensors[i];
    rows.emplace_back(tensor.name.empty() ? "(unnamed)" : tensor.name,
                      fmt::format("{} [{}]", tensor.dtype, fmt::join(tensor.shape, ", ")));
  }
  print_table(reporter, rows);
  if (shown < file.tensors.size()) {
    reporter.line(fmt::format("  ... and {} more (-v shows all)", file.tensors.size() - shown));
  }
}

Json json_description(const std::string& path, const FileDescription& file) {
  Json tensors = Json::array();
  for (const auto& tensor : file.tensors) {
    tensors.push_back({{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}});
  }
  return {{"path", path},
          {"kind", file.kind},
          {"facts", file.facts},
          {"metadata", file.metadata},
          {"tensors", std::move(tensors)}};
}

void run(const std::vector<std::string>& paths, Reporter& reporter) {
  if (paths.empty()) throw Error(ErrorKind::usage, "no file given", "w2w inspect FILE...");
  Json files = Json::array();
  for (const auto& path : paths) {
    const auto description = describe_file(path);
    if (reporter.json()) files.push_back(json_description(path, description));
    if (&path != &paths.front()) reporter.line("");
    print_description(reporter, path, description);
  }
  reporter.field("files", std::move(files));
}

}  // namespace

void add_inspect(App& app) {
  auto paths = std::make_shared<std::vector<std::string>>();
  auto& parser = app.add_command(
      {.name = "inspect",
       .summary = "what a file or folder is: kind, metadata, tensors",
       .arguments = "FILE...",
       .examples = {{"w2w inspect person-7.safetensors", "coefficients: their space and history"},
                    {"w2w inspect person-7_p1_s5.png", "the command that makes a picture again"},
                    {"w2w inspect -v person-7_lora.safetensors", "all tensors with their shapes"},
                    {"w2w inspect --json ./sd15 ./space", "models and spaces, for scripts"}}},
      [paths](Reporter& reporter) { run(*paths, reporter); });
  add_arguments(parser, "file", *paths,
                "coefficients, LoRA, model, space, picture, table of labels, any tensors");
}

}  // namespace w2w::cli
