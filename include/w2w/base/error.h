#pragma once
// The one exception of the library. Anything else that escapes is a bug and is reported as such by main.

#include <stdexcept>
#include <string>
#include <utility>

namespace w2w {

/// What went wrong, as scripts see it: the value is the exit code of the program.
enum class ErrorKind {
  failure = 1,    ///< could not be done (unwritable output, inconsistent inputs)
  usage = 2,      ///< an option or argument that does not parse or fit
  malformed = 3,  ///< a file that cannot be read as what it claims to be
  not_found = 4,  ///< model, space or file not found
  out_of_memory = 5,
  interrupted = 130,
};

/// As --json names it: "failure", "usage", "malformed", "not_found", "out_of_memory", "interrupted".
inline const char* kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::malformed:
      return "malformed";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::out_of_memory:
      return "out_of_memory";
    case ErrorKind::interrupted:
      return "interrupted";
    case ErrorKind::failure:
      break;
  }
  return "failure";
}

/// `message`: what, where (a path or key in parentheses), expected, found. `hint`: the next step, or empty.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string hint = {})
      : std::runtime_error(message), kind_(kind), hint_(std::move(hint)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& hint() const { return hint_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
  std::string hint_;
};

}  // namespace w2w
