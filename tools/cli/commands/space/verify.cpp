// w2w space verify: whether a space is whole.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands/space/options.h"
#include "cli/files/locate.h"
#include "cli/files/release_table.h"
#include "cli/files/space_choice.h"
#include "cli/terminal/terminal.h"
#include "w2w/base/error.h"
#include "w2w/space/verify.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

/// One table: the files of a release, then what their contents are checked for.
class Table {
 public:
  Table(Reporter& reporter, const std::vector<ReleaseFile>& files)
      : reporter_(reporter), with_files_(!files.empty()) {
    for (const auto& file : files) {
      name_width_ = std::max(name_width_, file.name.size());
      size_width_ = std::max(size_width_, size_of(file).size());
    }
  }

  void row(const std::string& mark, bool ok, const std::string& name, const std::string& size,
           const std::string& found) {
    const auto padded = fmt::format("{:<{}}", mark, with_files_ ? 7 : 5);
    const auto sizes = with_files_ ? fmt::format("  {:>{}}", size, size_width_) : "";
    reporter_.line(fmt::format("{} {:<{}}{}  {}", ok ? padded : red(padded, Stream::out), name, name_width_,
                               sizes, found));
  }

 private:
  Reporter& reporter_;
  bool with_files_;
  size_t name_width_ = std::string_view("explained variance").size(), size_width_ = 0;
};

bool opens(const std::vector<ReleaseFile>& files) {
  return std::all_of(files.begin(), files.end(), [](const ReleaseFile& file) {
    return file.ok() || file.name == "identity_df.pt" || file.needed_for.empty();
  });
}

/// A file that is missing first: as long as one is, nothing else can be said.
std::optional<ErrorKind> kind_of(const std::vector<ReleaseFile>& files) {
  std::optional<ErrorKind> kind;
  for (const auto& file : files) {
    if (file.ok()) continue;
    if (file.state == ReleaseFile::State::missing) return ErrorKind::not_found;
    kind = ErrorKind::malformed;
  }
  return kind;
}

SpaceCheck check_model(const fs::path& folder, const SharedOptions& options, const Run& run) {
  const auto linears = model_layers(options, run);
  try {
    const auto space = Space::open(folder, &linears, run);
    return {"model", true,
            fmt::format("the space belongs to this model: {} layers", space.layout().targets().size())};
  } catch (const Error& error) {
    return {"model", false, error.what(), error.kind()};
  }
}

std::vector<SpaceCheck> checks_of(const fs::path& folder, const SharedOptions& options, Reporter& reporter) {
  auto checks = verify_space(folder, reporter.run());
  if (options.model && checks.front().ok)
    checks.insert(checks.begin() + 1, check_model(folder, options, reporter.run()));
  return checks;
}

}  // namespace

void run_space_verify(const SpaceOptions& options, Reporter& reporter) {
  const auto& run = reporter.run();
  const auto folder = space_folder(options, run);
  if (options.shared.model) locate_model(options.shared.model, run);  // refuses it before the work
  const auto release = release_folder(folder);
  const auto files = release ? inspect_release(*release) : std::vector<ReleaseFile>{};
  Table table(reporter, files);
  size_t wrong = 0;
  auto file_list = Json::array(), list = Json::array();
  for (const auto& file : files) {
    table.row(mark_of(file), file.ok(), file.name, size_of(file), file.found);
    file_list.push_back(json_of(file));
    wrong += !file.ok();
  }
  auto kind = kind_of(files);
  const auto checks = opens(files) ? checks_of(folder, options.shared, reporter) : std::vector<SpaceCheck>{};
  for (const auto& check : checks) {
    table.row(check.ok ? "ok" : "WRONG", check.ok, check.name, "", check.found);
    list.push_back({{"name", check.name}, {"ok", check.ok}, {"found", check.found}});
    wrong += !check.ok;
    if (!check.ok && !kind) kind = check.kind;
  }
  reporter.field("space", folder.string());
  reporter.field("ok", wrong == 0);
  const auto next = release ? fetch_command(files, *release) : "";
  if (release) reporter.field("files", std::move(file_list));
  reporter.field("checks", std::move(list));
  if (release) reporter.field("next", next.empty() ? Json() : Json(next));
  if (!next.empty()) reporter.line(fmt::format("\nnext: {}", next));
  if (wrong == 0) return;
  throw Error(*kind, fmt::format("{} of {} checks of the space failed ({})", wrong,
                                 files.size() + checks.size(), folder.string()));
}

}  // namespace w2w::cli
