#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "w2w/app.h"
#include "w2w/base/allocator.h"
#include "w2w/base/error.h"
#include "w2w/base/progress.h"
#include "w2w/terminal.h"

// The one place where errors are printed and become exit codes.

namespace {

using namespace w2w;

/// The first signal asks the work to stop after its step, the second one ends the process.
void on_interrupt(int signal_number) {
  request_interrupt();
  std::signal(signal_number, SIG_DFL);
}

Error out_of_memory() {
  return {ErrorKind::out_of_memory, "out of memory",
          "use a smaller picture, fewer pictures at once, or --dtype bf16"};
}

/// LibTorch tells what was asked for and what is free: "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0
/// has a total capacity of 79.11 GiB of which 10.62 MiB is free. ...". The rest is about its own settings.
Error out_of_device_memory(std::string what) {
  what.resize(std::min(what.find('\n'), what.size()));
  const std::string end = " is free.";
  if (const auto at = what.find(end); at != what.npos) what.resize(at + end.size() - 1);
  return {ErrorKind::out_of_memory, what,
          "use a smaller picture (-W, -H), --vae-tiling, a smaller --batch or --together, --dtype bf16, or "
          "--device cpu"};
}

Error internal_error(const char* what) {
  return {ErrorKind::failure, fmt::format("internal error: {}", what),
          "this is a bug in w2w; please report it with the command that led here"};
}

/// LibTorch's CPU allocator has no exception type of its own.
bool says_out_of_memory(std::string_view what) {
  return what.find("can't allocate memory") != what.npos || what.find("not enough memory") != what.npos;
}

/// What is being thrown, in the terms of the program.
Error error_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return error;
  } catch (const c10::OutOfMemoryError& error) {
    return out_of_device_memory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    if (says_out_of_memory(error.what())) return out_of_memory();
    return internal_error(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& error) {
    return says_out_of_memory(error.what()) ? out_of_memory() : internal_error(error.what());
  } catch (...) {
    return internal_error("an exception of unknown type");
  }
}

void print_error(const Error& error) {
  cli::tell(
      fmt::format("w2w: {} {}\n", cli::red("error:", cli::Stream::error), cli::printable(error.what())));
  if (!error.hint().empty()) cli::tell(fmt::format("hint: {}\n", cli::printable(error.hint())));
}

}  // namespace

int main(int argc, char** argv) {
  cli::fill_closed_streams();
  keep_freed_memory();
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  std::signal(SIGPIPE, SIG_DFL);  // `w2w ... | head` ends quietly, also where the parent ignores the signal
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
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
    const auto error = error_of(std::current_exception());
    app.report_failure(arguments, error);
    print_error(error);
    if (error.kind() == ErrorKind::interrupted) {  // base/interruptible.h may have left a thread at work
      std::fflush(nullptr);
      std::_Exit(error.exit_code());
    }
    return error.exit_code();
  }
}
