#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>

#include "w2w/app.h"
#include "w2w/base/allocator.h"
#include "w2w/base/error.h"
#include "w2w/base/progress.h"
#include "w2w/signals.h"
#include "w2w/terminal.h"

// The one place where errors are printed and become exit codes.

namespace {

using namespace w2w;

void print_error(std::string_view message, std::string_view hint) {
  cli::tell(fmt::format("w2w: {} {}\n", cli::red("error:", cli::Stream::error), cli::printable(message)));
  if (!hint.empty()) cli::tell(fmt::format("hint: {}\n", cli::printable(hint)));
}

int fail(ErrorKind kind, std::string_view message, std::string_view hint = {}) {
  print_error(message, hint);
  return static_cast<int>(kind);
}

int out_of_memory() {
  return fail(ErrorKind::out_of_memory, "out of memory",
              "use a smaller picture, fewer pictures at once, or --dtype bf16");
}

/// LibTorch tells what was asked for and what is free: "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0
/// has a total capacity of 79.11 GiB of which 10.62 MiB is free. ...". The rest is about its own settings.
int out_of_device_memory(std::string what) {
  what.resize(std::min(what.find('\n'), what.size()));
  const std::string end = " is free.";
  if (const auto at = what.find(end); at != what.npos) what.resize(at + end.size() - 1);
  return fail(
      ErrorKind::out_of_memory, what,
      "use a smaller picture (-W, -H), --vae-tiling, a smaller --batch or --together, --dtype bf16, or "
      "--device cpu");
}

int internal_error(const char* what) {
  return fail(ErrorKind::failure, fmt::format("internal error: {}", what),
              "this is a bug in w2w; please report it with the command that led here");
}

/// A signal may end a system call that waits: that of the terminal or pipe that stdout is.
bool is_interruption(const std::exception& error) {
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  return interrupt_requested() && system && system->code() == std::errc::interrupted;
}

/// LibTorch's CPU allocator has no exception type of its own.
bool says_out_of_memory(std::string_view what) {
  return what.find("can't allocate memory") != what.npos || what.find("not enough memory") != what.npos;
}

}  // namespace

int main(int argc, char** argv) {
  cli::fill_closed_streams();
  keep_freed_memory();
  cli::set_signal_handlers();
  try {
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    for (const auto& argument : arguments) {
      if (argument == "--no-color") cli::disable_colour();  // errors of parsing obey it as well
    }
    cli::App app;
    cli::add_all_commands(app);
    app.run(arguments);
    return std::fflush(stdout) == 0 ? 0 : fail(ErrorKind::failure, "cannot write the results (stdout)");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) {  // base/interruptible.h may have left a thread at work
      fail(error.kind(), error.what(), error.hint());
      std::fflush(nullptr);
      std::_Exit(static_cast<int>(ErrorKind::interrupted));
    }
    return fail(error.kind(), error.what(), error.hint());
  } catch (const c10::OutOfMemoryError& error) {
    return out_of_device_memory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    if (says_out_of_memory(error.what())) return out_of_memory();
    return internal_error(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& error) {
    if (is_interruption(error)) return fail(ErrorKind::interrupted, "interrupted");
    return says_out_of_memory(error.what()) ? out_of_memory() : internal_error(error.what());
  } catch (...) {
    return internal_error("an exception of unknown type");
  }
}
