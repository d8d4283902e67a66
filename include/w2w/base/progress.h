#pragma once
// Progress and interruption: long work calls `report` after each step and `check_interrupt` before the next
// one.

#include <cstdint>
#include <functional>
#include <string>

namespace w2w {

/// One finished step of long work. `what` names the stage ("denoising"), `detail` is free text such as a
/// loss.
struct ProgressEvent {
  std::string what;
  int64_t step = 0;  ///< steps done, 1..total
  int64_t total = 0;
  std::string detail;
};

/// May be empty: then nobody watches.
using Progress = std::function<void(const ProgressEvent&)>;

inline void report(const Progress& progress, const ProgressEvent& event) {
  if (progress) progress(event);
}

/// Asks running work to stop at its next check. Async-signal-safe.
void request_interrupt() noexcept;
bool interrupt_requested() noexcept;
/// Throws Error(interrupted) once an interrupt was requested.
void check_interrupt();

}  // namespace w2w
