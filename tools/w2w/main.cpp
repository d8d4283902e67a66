#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "w2w/app.h"
#include "w2w/base/allocator.h"
#include "w2w/base/error.h"
#include "w2w/base/progress.h"
#include "w2w/base/translated_error.h"
#include "w2w/fatal_ends.h"
#include "w2w/terminal.h"

// The one place where errors are printed and become exit codes.

namespace {

using namespace w2w;

/// The first signal asks the work to stop after its step, the second one ends the process.
void on_interrupt(int signal_number) {
  request_interrupt();
  std::signal(signal_number, SIG_DFL);
}

void print_error(const Error& error) {
  cli::tell(fmt::format("w2w: {} {}\n", cli::red("error:", cli::Stream::error),
                        cli::printable(cli::shortened(error.what()))));
  if (!error.hint().empty())
    cli::tell(fmt::format("hint: {}\n", cli::printable(cli::shortened(error.hint()))));
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
    const Error error = translated_current_exception();
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
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  std::signal(SIGPIPE, SIG_DFL);  // `w2w ... | head` ends quietly, also where the parent ignores the signal
  const int code = run({argv + (argc > 0 ? 1 : 0), argv + argc});
  cli::leave_main();
  return code;
}
