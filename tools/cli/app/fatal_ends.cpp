#include "cli/app/fatal_ends.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "cli/terminal/worded.h"
#include "w2w/base/error.h"
#include "w2w/base/translated_error.h"
#include "w2w/io/mapped_file.h"

// Everything here runs where little may be relied upon, in a signal handler or without memory: system calls
// only.

namespace w2w::cli {
namespace {

std::atomic<bool> main_is_done{false};

void write_error(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

/// A path may hold what moves a terminal's cursor.
void write_path(const char* path) {
  for (; *path; ++path) {
    const char letter[] = {*path < 0 || *path >= ' ' ? *path : '?', '\0'};
    write_error(letter);
  }
}

[[noreturn]] void end(ErrorKind kind) { _exit(static_cast<int>(kind)); }

struct sigaction bus_error_before, segmentation_fault_before;

/// The access is made again, and ends the process as it would have.
void give_up(int signal_number) {
  sigaction(signal_number, signal_number == SIGBUS ? &bus_error_before : &segmentation_fault_before, nullptr);
}

void on_bus_error(int signal_number, siginfo_t* info, void*) {
  if (const char* path = mapped_file_at(info->si_addr)) {
    write_error("\nw2w: error: file changed while it was read (");
    write_path(path);
    write_error(
        "): expected the bytes that it had when it was opened, found fewer\n"
        "hint: it was cut short or its disk failed while w2w read it; copy it again\n");
    end(ErrorKind::malformed);
  }
  give_up(signal_number);
}

/// oneDNN runs kernels that it could not make (brgemm, LibTorch 2.6): a null pointer where memory is short.
void on_segmentation_fault(int signal_number, siginfo_t* info, void*) {
  constexpr uintptr_t first_page = 4096;
  constexpr size_t little = size_t{64} << 20;
  if (reinterpret_cast<uintptr_t>(info->si_addr) < first_page) {
    void* const room = mmap(nullptr, little, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
      write_error("\nw2w: error: out of memory\nhint: `ulimit -v` shows what the system allows\n");
      end(ErrorKind::out_of_memory);
    }
    munmap(room, little);
  }
  give_up(signal_number);
}

/// Where exceptions end that cross a noexcept function, a destructor or the start of a library.
[[noreturn]] void on_terminate() {
  if (!std::current_exception()) std::abort();
  try {
    const Error error = translated_current_exception();
    write_error("\nw2w: error: ");
    write_error(error.what());
    write_error("\nhint: ");
    write_error(worded(error.hint()).c_str());
    write_error("\n");
    end(error.kind());
  } catch (...) {  // no memory for a sentence of its own
    write_error("\nw2w: error: out of memory\n");
    end(ErrorKind::out_of_memory);
  }
}

/// Nothing of ours calls exit() while main runs; libgomp does, after a line of its own.
void on_exit() {
  if (main_is_done) return;
  write_error(
      "w2w: error: out of memory: cannot start another thread, or no memory is left for it\n"
      "hint: use fewer threads (-t 1); `ulimit -v` and `ulimit -u` show the limits\n");
  end(ErrorKind::out_of_memory);
}

/// Runs before the static objects of all libraries are made, which takes memory that a limit may refuse.
void before_libraries(int, char**, char**) { std::set_terminate(on_terminate); }
[[gnu::section(".preinit_array"), gnu::used]] void (*const run_first)(int, char**, char**) = before_libraries;

}  // namespace

void guard_fatal_ends() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &bus_error_before);
  action.sa_sigaction = on_segmentation_fault;
  sigaction(SIGSEGV, &action, &segmentation_fault_before);
  std::atexit(on_exit);
}

void leave_main() { main_is_done = true; }

}  // namespace w2w::cli
