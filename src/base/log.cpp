#include "w2w/base/log.h"

namespace w2w {
namespace {

LogSink& sink() {
  static LogSink current;
  return current;
}

void emit(LogLevel level, std::string_view message) {
  if (sink()) sink()(level, message);
}

}  // namespace

void set_log_sink(LogSink new_sink) { sink() = std::move(new_sink); }

void debug(std::string_view message) { emit(LogLevel::debug, message); }
void notice(std::string_view message) { emit(LogLevel::notice, message); }
void warn(std::string_view message) { emit(LogLevel::warning, message); }

}  // namespace w2w
