#include "w2w/reporter.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "w2w/base/error.h"
#include "w2w/terminal.h"

namespace w2w::cli {

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Reporter::Reporter(std::string command, const GeneralOptions& options)
    : command_(std::move(command)), options_(options) {
  set_log_sink([this](LogLevel level, std::string_view text) { message(level, text); });
}

Reporter::~Reporter() {
  while (!unwritten_.empty()) {  // after an error: what was drawn before it is kept, and told of
    try {
      tell_of_written(0);
    } catch (const std::exception& error) {
      message(LogLevel::warning, error.what());
    }
  }
  clear_bar();
  set_log_sink({});
}

void Reporter::message(LogLevel level, std::string_view text) {
  if (level == LogLevel::debug && !options_.verbose) return;
  if (level == LogLevel::notice && options_.quiet) return;
  const std::scoped_lock lock(terminal_);
  bar_.clear();
  const auto kind = level == LogLevel::warning ? yellow("warning:", Stream::error) + " " : "";
  tell(fmt::format("w2w: {}{}\n", kind, text));
}

void Reporter::output(const std::filesystem::path& path, std::string_view kind, Json more) {
  output_later({}, path, kind, std::move(more));
}

void Reporter::output_later(std::function<void()> write, const std::filesystem::path& path,
                            std::string_view kind, Json more) {
  Json entry = {{"path", path.string()}, {"kind", kind}};
  entry.update(more);
  unwritten_.push_back(
      {write ? std::async(std::launch::async, std::move(write)) : std::future<void>(), std::move(entry)});
  tell_of_written(16);
}

/// In order, until one is still being written; waits for those without which there would be more than
/// `most_unwritten`.
void Reporter::tell_of_written(size_t most_unwritten) {
  while (!unwritten_.empty()) {
    if (const auto& written = unwritten_.front().written;
        written.valid() && unwritten_.size() <= most_unwritten &&
        written.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      return;
    }
    auto output = std::move(unwritten_.front());
    unwritten_.pop_front();
    if (output.written.valid()) output.written.get();
    if (options_.json) {
      outputs_.push_back(std::move(output.entry));
    } else {
      line(output.entry["path"].get<std::string>());
    }
  }
}

void Reporter::field(const std::string& name, Json value) {
  if (options_.json) fields_[name] = std::move(value);
}

void Reporter::line(std::string_view text) {
  if (options_.json) return;
  clear_bar();
  fmt::print("{}\n", text);
  std::fflush(stdout);  // a script that reads along sees each result when it exists
}

void Reporter::remark(std::string_view text) {
  if (options_.json || options_.quiet) return;
  clear_bar();
  tell(fmt::format("{}\n", text));
}

void Reporter::clear_bar() {
  const std::scoped_lock lock(terminal_);
  bar_.clear();
}

Progress Reporter::progress() {
  if (options_.quiet) return {};
  return [this](const ProgressEvent& event) {
    const std::scoped_lock lock(terminal_);
    bar_.update(event);
  };
}

void Reporter::finish() {
  tell_of_written(0);
  clear_bar();
  if (options_.json) {
    Json object = {{"command", command_}, {"outputs", outputs_}};
    object.update(fields_);
    fmt::print("{}\n", json_text(object, is_terminal(Stream::out) ? 2 : -1));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    if (errno == EINTR) check_interrupt();
    throw Error(ErrorKind::failure,
                fmt::format("cannot write the results (stdout): {}", std::strerror(errno)));
  }
}

}  // namespace w2w::cli
