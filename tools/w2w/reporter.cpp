#include "w2w/reporter.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "w2w/base/error.h"
#include "w2w/terminal.h"

namespace w2w::cli {

Reporter::Reporter(std::string command, const GeneralOptions& options)
    : command_(std::move(command)), options_(options) {
  set_log_sink([this](LogLevel level, std::string_view text) { message(level, text); });
}

Reporter::~Reporter() {
  bar_.clear();
  set_log_sink({});
}

void Reporter::message(LogLevel level, std::string_view text) {
  if (level == LogLevel::debug && !options_.verbose) return;
  if (level == LogLevel::notice && options_.quiet) return;
  bar_.clear();
  fmt::print(stderr, "w2w: {}{}\n", level == LogLevel::warning ? yellow("warning:", Stream::error) + " " : "",
             text);
}

void Reporter::output(const std::filesystem::path& path, std::string_view kind, Json more) {
  if (!options_.json) return line(path.string());
  Json entry = {{"path", path.string()}, {"kind", kind}};
  entry.update(more);
  outputs_.push_back(std::move(entry));
}

void Reporter::field(const std::string& name, Json value) {
  if (options_.json) fields_[name] = std::move(value);
}

void Reporter::line(std::string_view text) {
  if (options_.json) return;
  bar_.clear();
  fmt::print("{}\n", text);
  std::fflush(stdout);  // a script that reads along sees each result when it exists
}

void Reporter::remark(std::string_view text) {
  if (options_.json || options_.quiet) return;
  bar_.clear();
  fmt::print(stderr, "{}\n", text);
}

Progress Reporter::progress() {
  if (options_.quiet) return {};
  return [this](const ProgressEvent& event) { bar_.update(event); };
}

void Reporter::finish() {
  bar_.clear();
  if (options_.json) {
    Json object = {{"command", command_}, {"outputs", outputs_}};
    object.update(fields_);
    // Paths are bytes and need not be UTF-8; JSON has to be.
    const int indent = is_terminal(Stream::out) ? 2 : -1;
    fmt::print("{}\n", object.dump(indent, ' ', false, Json::error_handler_t::replace));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) {
    throw Error(ErrorKind::failure,
                fmt::format("cannot write the results (stdout): {}", std::strerror(errno)));
  }
}

}  // namespace w2w::cli
