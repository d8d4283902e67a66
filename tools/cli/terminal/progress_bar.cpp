#include "cli/terminal/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/terminal/terminal.h"

namespace w2w::cli {
namespace {

/// "0:07", "12:40", "3:05:00".
std::string clock_time(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string rate_text(double rate) {
  return rate >= 1 ? fmt::format("{:.1f} it/s", rate) : fmt::format("{:.1f} s/it", 1 / rate);
}

int64_t percent(const ProgressEvent& event) { return event.step * 100 / event.total; }

/// "1.8 it/s, 0:14 left", then whatever the work itself has to say.
std::string figures(const ProgressEvent& event, double rate) {
  std::string text;
  if (rate > 0)
    text =
        rate_text(rate) + ", " + clock_time(static_cast<double>(event.total - event.step) / rate) + " left";
  if (!event.detail.empty()) text += (text.empty() ? "" : ", ") + event.detail;
  return text;
}

}  // namespace

void ProgressBar::start_stage(const ProgressEvent& event) {
  total_ = event.total;
  first_step_ = event.step;
  last_tenth_ = 0;
  stage_start_ = Clock::now();
  last_draw_ = {};
}

void ProgressBar::update(const ProgressEvent& event) {
  const bool was_done = last_step_ >= total_;
  if (event.total != total_ || event.step < last_step_ || was_done) start_stage(event);
  last_step_ = event.step;
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - stage_start_).count();
  const double rate = seconds > 0 ? static_cast<double>(event.step - first_step_) / seconds : 0;
  const bool done = event.step >= event.total;
  if (can_redraw(Stream::error)) {
    if (done) return clear();
    if (now - last_draw_ < std::chrono::milliseconds(100)) return;
    last_draw_ = now;
    return draw(event, rate);
  }
  const int64_t tenth = event.total > 0 ? percent(event) / 10 : 0;
  if (tenth == last_tenth_) return;
  last_tenth_ = tenth;
  const auto tail = done ? event.detail : figures(event, rate);
  tell(fmt::format("w2w: {} {}/{} ({} %){}\n", event.what, event.step, event.total, percent(event),
                   tail.empty() ? "" : ", " + tail));
}

void ProgressBar::draw(const ProgressEvent& event, double rate) {
  const auto left = fmt::format("{} ", event.what);
  const auto count = fmt::format(" {}/{}", event.step, event.total);
  auto right = count + "  " + figures(event, rate);
  int room = terminal_width() - 3 - static_cast<int>(display_width(left) + display_width(right));
  if (room < -2) right = count;  // a line that wraps cannot be drawn over
  room = std::min(40, room);
  std::string line = left;
  if (room >= 5) {
    const auto filled = event.total > 0 ? static_cast<int>(room * event.step / event.total) : 0;
    line += "[" + std::string(static_cast<size_t>(filled), '=') +
            std::string(static_cast<size_t>(room - filled), ' ') + "]";
  }
  tell(fmt::format("\r{}{}\x1b[K", line, right));
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  tell("\r\x1b[K");
  drawn_ = false;
}

}  // namespace w2w::cli
