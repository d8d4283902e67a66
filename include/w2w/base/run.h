#pragma once
// What a caller hands down to long work: who watches it, who may stop it, who reads its messages.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace w2w {

/// One finished step of long work. `what` names the stage ("denoising"), `detail` is free text such as a
/// loss.
struct ProgressEvent {
  std::string what;
  int64_t step = 0;  ///< steps done, 1..total
  int64_t total = 0;
  std::string detail;
};

using Progress = std::function<void(const ProgressEvent&)>;

enum class LogLevel { debug, notice, warning };
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Asks work to stop, once and for all. Unlike std::stop_source it may be set by a signal handler.
class StopFlag {
 public:
  void request() noexcept { requested_.store(true); }
  bool requested() const noexcept { return requested_.load(); }

 private:
  std::atomic<bool> requested_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

/// The default is work that nobody watches, stops or reads messages of. Two runs share nothing: stopping one
/// stops no other, and a message reaches the caller whose work it is about. Must outlive the work.
struct Run {
  Progress progress = {};          ///< called on the thread that does the work
  const StopFlag* stop = nullptr;  ///< not owned
  LogSink log = {};

  void report(const ProgressEvent& event) const {
    if (progress) progress(event);
  }
  bool stop_requested() const noexcept { return stop && stop->requested(); }
  /// Error(interrupted) once a stop was requested: long work calls it before each step.
  void check_stop() const;

  void debug(std::string_view message) const { say(LogLevel::debug, message); }
  void notice(std::string_view message) const { say(LogLevel::notice, message); }
  void warn(std::string_view message) const { say(LogLevel::warning, message); }

  /// The same run with its progress shown otherwise: as a part of larger work.
  Run with_progress(Progress other) const { return {std::move(other), stop, log}; }

 private:
  void say(LogLevel level, std::string_view message) const {
    if (log) log(level, message);
  }
};

}  // namespace w2w
