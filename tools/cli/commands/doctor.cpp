#include <fmt/format.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/commands/health_checks.h"
#include "cli/options/model_options.h"
#include "cli/terminal/reporter.h"
#include "cli/terminal/terminal.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"

namespace w2w::cli {
namespace {

void print_check(Reporter& reporter, const HealthCheck& check, size_t column) {
  const auto mark = check.absent ? "-    " : check.ok ? "ok   " : red("WRONG", Stream::out);
  reporter.line(fmt::format("{} {:<{}}  {}", mark, check.name, column, check.found));
}

void run(const ModelOptions& options, Reporter& reporter) {
  if (!is_device_name(options.device)) parse_device(options.device);  // refuses it
  const auto checks = health_checks(options, reporter.run());
  size_t column = 0;
  int64_t wrong = 0;
  for (const auto& check : checks) column = std::max(column, check.name.size());
  Json list = Json::array();
  for (const auto& check : checks) {
    print_check(reporter, check, column);
    list.push_back({{"name", check.name}, {"ok", check.ok}, {"found", check.found}});
    wrong += !check.ok;
  }
  reporter.field("ok", wrong == 0);
  reporter.field("checks", std::move(list));
  if (wrong == 0) return reporter.line("All checks passed.");
  throw Error(ErrorKind::failure, fmt::format("{} of {} checks failed", wrong, checks.size()));
}

}  // namespace

void add_doctor(App& app) {
  auto options = std::make_shared<ModelOptions>();
  auto& parser = app.add_command(
      {.name = "doctor",
       .summary = "devices, libraries, where model and space were found, a self-test",
       .examples = {{"w2w doctor", "check this machine: devices, libraries, arithmetic"},
                    {"w2w doctor -m ./sd15 --space ./files", "the same with your model and space"},
                    {"w2w doctor --json",
                     "for scripts and bug reports; exit code 1 when something is wrong"}}},
      [options](Reporter& reporter) { run(*options, reporter); });
  add_model_options(parser, *options);
  add_space_option(parser, *options);
}

}  // namespace w2w::cli
