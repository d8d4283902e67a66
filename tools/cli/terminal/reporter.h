#pragma once
// What a command tells the world: results on stdout (one path a line, or one JSON object), messages and
// progress on stderr.

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/terminal/general_options.h"
#include "cli/terminal/progress_bar.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"

namespace w2w::cli {

using Json = nlohmann::ordered_json;

/// JSON from a file or its metadata; a discarded value where it does not parse or is nested too deep.
Json parse_json(std::string_view text);

/// JSON as text. Arguments and paths are bytes: what is not UTF-8 becomes U+FFFD.
std::string json_text(const Json& value, int indent = -1);

class Reporter {
 public:
  /// `stop`: what ends the command's work; null: nothing does.
  Reporter(std::string command, const GeneralOptions& options, const StopFlag* stop = nullptr);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  const GeneralOptions& options() const { return options_; }
  bool json() const { return options_.json || options_.json_lines; }

  /// A file that was written: its path is printed, behind those still to be written, or kept for the JSON
  /// object with `kind` ("coefficients", "picture", "lora", "space", "log", "sheet") and `more`, e.g.
  /// {{"seed", 5}}.
  void output(const std::filesystem::path& path, std::string_view kind, Json more = Json::object());

  /// The same of a file that `write` is still to write: it does so beside the work that follows. Files are
  /// told of in the order of these calls, each when it is there; what `write` throws comes out of a later
  /// call, or of finish().
  void output_later(std::function<void()> write, const std::filesystem::path& path, std::string_view kind,
                    Json more = Json::object());

  /// One of many that could not be done, while the others go on: a warning with the hint, and an entry of
  /// "failed" in the JSON object.
  void failed(const std::string& name, const Error& error);

  /// A further member of the JSON object; ignored without --json.
  void field(const std::string& name, Json value);

  /// Results of commands that write no files: a line on stdout, nothing with --json.
  void line(std::string_view text);

  /// What a command that writes files says of them: a line on stderr, nothing with --json or --quiet.
  void remark(std::string_view text);

  /// For the command's work: progress and messages go to stderr, unless --quiet; valid while this object
  /// lives.
  const Run& run() const { return run_; }

  /// Waits for all outputs and prints the JSON object if one was asked for. Error(failure) when stdout did
  /// not take the results.
  void finish();

  /// The same after an error: the JSON object also has "error". Does nothing after finish().
  void fail(const Error& error);

 private:
  struct Output {
    std::future<void> written;  ///< invalid: it is
    Json entry;
  };
  void message(LogLevel level, std::string_view text);
  void clear_bar();
  void tell_of_written(size_t most_unwritten);
  void settle();
  void stream(const char* what, const Json& value);
  void stream_progress(const ProgressEvent& event);
  void print_object(const Error* error);

  Progress progress();

  std::string command_;
  GeneralOptions options_;
  Run run_;
  std::deque<Output> unwritten_;  ///< and those that were given behind them
  Json outputs_ = Json::array();
  Json fields_ = Json::object();
  std::mutex terminal_;  ///< guards bar_: what writes in the background may warn
  ProgressBar bar_;
  std::chrono::steady_clock::time_point streamed_;  ///< progress, with --json-lines
  bool finished_ = false;
};

}  // namespace w2w::cli
