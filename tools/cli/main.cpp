#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "cli/app/app.h"
#include "cli/app/fatal_ends.h"
#include "cli/app/signals.h"
#include "cli/terminal/terminal.h"
#include "cli/terminal/worded.h"
#include "w2w/base/error.h"
#include "w2w/base/translated_error.h"
#include "w2w/device/allocator.h"

// The one place where errors are printed and become exit codes.

namespace {

using namespace w2w;

/// A signal may end a system call that waits: that of the terminal or pipe that stdout is.
Error error_of_current_exception() {
  try {
    throw;
  } catch (const std::system_error& error) {
    if (cli::stop_by_signal().requested() && error.code() == std::errc::interrupted)
      return {ErrorKind::interrupted, "interrupted"};
    return translated(error);
  } catch (...) {
    return translated_current_exception();
  }
}

void print_error(const Error& error) {
  cli::tell(fmt::format("w2w: {} {}\n", cli::red("error:", cli::Stream::error),
                        cli::printable(cli::shortened(error.what()))));
  if (!error.hint().empty())
    cli::tell(fmt::format("hint: {}\n", cli::printable(cli::shortened(cli::worded(error.hint())))));
}

int run(const std::vector<std::string>& arguments) {
  cli::App app;
  try {
    for (const auto& argument : arguments) {
      if (argument == "--no-color") cli::disable_colour();  // errors of parsing obey it as well
    }
    cli::add_all_commands(app);
    app.run(arguments);
    if (std::fflush(stdout) != 0) throw Error(ErrorKind::failure, "cannot write the results (stdout)");
    return 0;
  } catch (...) {
    const Error error = error_of_current_exception();
    app.report_failure(arguments, error);
    print_error(error);
    if (error.kind() == ErrorKind::interrupted) {  // base/interruptible.h may have left a thread at work
      std::fflush(nullptr);
      std::_Exit(error.exit_code());
    }
    return error.exit_code();
  }
}

}  // namespace

int main(int argc, char** argv) {
  cli::fill_closed_streams();
  cli::guard_fatal_ends();
  keep_freed_memory();
  cli::set_signal_handlers();
  const int code = run({argv + (argc > 0 ? 1 : 0), argv + argc});
  cli::leave_main();
  return code;
}
