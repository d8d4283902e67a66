// w2w space verify: whether a space is whole.

#include <fmt/format.h>

#include <algorithm>

#include "w2w/base/error.h"
#include "w2w/locate.h"
#include "w2w/space/verify.h"
#include "w2w/space_options.h"
#include "w2w/terminal.h"

namespace w2w::cli {

void run_space_verify(const SpaceOptions& options, Reporter& reporter) {
  const auto folder = space_folder(options);
  const auto checks = verify_space(folder, reporter.progress());
  size_t column = 0;
  int64_t wrong = 0;
  auto kind = ErrorKind::failure;  // of the first that is wrong
  for (const auto& check : checks) column = std::max(column, check.name.size());
  auto list = Json::array();
  for (const auto& check : checks) {
    const auto mark = check.ok ? "ok   " : red("WRONG", Stream::out);
    reporter.line(fmt::format("{} {:<{}}  {}", mark, check.name, column, check.found));
    list.push_back({{"name", check.name}, {"ok", check.ok}, {"found", check.found}});
    if (!check.ok && wrong++ == 0) kind = check.kind;
  }
  reporter.field("space", folder.string());
  reporter.field("ok", wrong == 0);
  reporter.field("checks", std::move(list));
  if (wrong == 0) return;
  throw Error(kind, fmt::format("{} of {} checks of the space went wrong ({})", wrong, checks.size(),
                                folder.string()));
}

}  // namespace w2w::cli
