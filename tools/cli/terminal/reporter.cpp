#include "cli/terminal/reporter.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "cli/terminal/terminal.h"
#include "cli/terminal/worded.h"
#include "w2w/base/error.h"
#include "w2w/io/json_depth.h"

namespace w2w::cli {

Json parse_json(std::string_view text) {
  if (is_json_too_deep(text)) return Json::value_t::discarded;
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

namespace {

Json json_of(const Error& error) {
  return {{"kind", kind_name(error.kind())}, {"message", error.what()}, {"hint", worded(error.hint())}};
}

}  // namespace

Reporter::Reporter(std::string command, const GeneralOptions& options, const StopFlag* stop)
    : command_(std::move(command)),
      options_(options),
      run_{progress(), stop, [this](LogLevel level, std::string_view text) { message(level, text); }} {}

Reporter::~Reporter() { settle(); }

/// After an error: what was drawn before it is kept and printed.
void Reporter::settle() {
  while (!unwritten_.empty()) {
    try {
      tell_of_written(0);
    } catch (const std::exception& error) {
      message(LogLevel::warning, error.what());
    }
  }
  clear_bar();
}

void Reporter::message(LogLevel level, std::string_view text) {
  if (level == LogLevel::debug && !options_.verbose) return;
  if (level == LogLevel::notice && options_.quiet) return;
  const std::scoped_lock lock(terminal_);
  bar_.clear();
  const auto kind = level == LogLevel::warning ? yellow("warning:", Stream::error) + " " : "";
  tell(fmt::format("w2w: {}{}\n", kind, printable(shortened(text))));
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
    if (options_.json_lines) {
      stream("output", output.entry);
    } else if (options_.json) {
      outputs_.push_back(std::move(output.entry));
    } else {
      line(output.entry["path"].get<std::string>());
    }
  }
}

void Reporter::field(const std::string& name, Json value) {
  if (json()) fields_[name] = std::move(value);
}

void Reporter::failed(const std::string& name, const Error& error) {
  const auto hint = error.hint().empty() ? "" : "\nhint: " + worded(error.hint());
  run_.warn(fmt::format("{}: {}{}", name, error.what(), hint));
  if (!json()) return;
  auto entry = json_of(error);
  entry["name"] = name;
  fields_["failed"].push_back(std::move(entry));
}

void Reporter::line(std::string_view text) {
  if (json()) return;
  clear_bar();
  fmt::print("{}\n", text);
  std::fflush(stdout);  // a script that reads along sees each result when it exists
}

void Reporter::remark(std::string_view text) {
  if (json() || options_.quiet) return;
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
    if (options_.json_lines) return stream_progress(event);
    const std::scoped_lock lock(terminal_);
    bar_.update(event);
  };
}

/// At most ten a second, and the last of each stage.
void Reporter::stream_progress(const ProgressEvent& event) {
  const auto now = std::chrono::steady_clock::now();
  if (event.step < event.total && now - streamed_ < std::chrono::milliseconds(100)) return;
  streamed_ = now;
  Json entry = {{"stage", event.what}, {"step", event.step}, {"total", event.total}};
  if (!event.detail.empty()) entry["detail"] = event.detail;
  stream("progress", entry);
}

void Reporter::stream(const char* what, const Json& value) {
  fmt::print("{}\n", json_text({{what, value}}));
  std::fflush(stdout);
}

void Reporter::print_object(const Error* error) {
  Json object = {{"command", command_}};
  if (!options_.json_lines) object["outputs"] = outputs_;
  object.update(fields_);
  if (options_.json_lines) {
    if (!error || !fields_.empty()) stream("result", object);
    if (error) stream("error", json_of(*error));
    return;
  }
  if (error) object["error"] = json_of(*error);
  fmt::print("{}\n", json_text(object, is_terminal(Stream::out) ? 2 : -1));
}

void Reporter::finish() {
  tell_of_written(0);
  clear_bar();
  finished_ = true;
  if (json()) print_object(nullptr);
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    if (errno == EINTR) run_.check_stop();
    throw Error(ErrorKind::failure,
                fmt::format("cannot write the results (stdout): {}", std::strerror(errno)));
  }
}

void Reporter::fail(const Error& error) {
  settle();
  if (finished_ || !json()) return;
  finished_ = true;
  print_object(&error);
  std::fflush(stdout);
}

}  // namespace w2w::cli
