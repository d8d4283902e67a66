#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
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

void print_error(std::string_view message, std::string_view hint) {
  cli::tell(fmt::format("w2w: {} {}\n", cli::red("error:", cli::Stream::error),
                        cli::printable(cli::shortened(message))));
  if (!hint.empty()) cli::tell(fmt::format("hint: {}\n", cli::printable(cli::shortened(hint))));
}

int fail(const Error& error) {
  print_error(error.what(), error.hint());
  return error.exit_code();
}

int run(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    for (const auto& argument : arguments) {
      if (argument == "--no-color") cli::disable_colour();  // errors of parsing obey it as well
    }
    cli::App app;
    cli::add_all_commands(app);
    app.run(arguments);
    return std::fflush(stdout) == 0 ? 0 : fail({ErrorKind::failure, "cannot write the results (stdout)"});
  } catch (...) {
    const Error error = translated_current_exception();
    const int code = fail(error);
    if (error.kind() == ErrorKind::interrupted) {  // base/interruptible.h may have left a thread at work
      std::fflush(nullptr);
      std::_Exit(code);
    }
    return code;
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
  const int code = run(argc, argv);
  cli::leave_main();
  return code;
}
