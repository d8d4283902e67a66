#pragma once
#include <chrono>
#include <string>

#include "w2w/base/run.h"

namespace w2w::cli {

/// Progress on stderr: on a terminal a bar with rate and remaining time, redrawn at most ten times a second;
/// otherwise a line every 10 %. The rate counts from the first step of a stage, which is
/// a new one when the total changes or the steps begin again; its name may change at any time.
class ProgressBar {
 public:
  void update(const ProgressEvent& event);
  /// Takes a drawn bar off the screen, so that other text can be written; the next update draws it again.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  void start_stage(const ProgressEvent& event);
  void draw(const ProgressEvent& event, double rate);

  int64_t total_ = 0, last_step_ = 0, last_tenth_ = 0;
  Clock::time_point stage_start_, last_draw_;
  int64_t first_step_ = 0;  ///< step of the stage's first event: the rate counts from there
  bool drawn_ = false;
};

}  // namespace w2w::cli
