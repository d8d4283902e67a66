#include "cli/terminal/terminal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace w2w::cli {
namespace {

bool colour_disabled = false;

std::string styled(const char* code, std::string_view text, Stream stream) {
  if (!use_colour(stream)) return std::string(text);
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace

void fill_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number, which is this one.
    if (open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) == -1) return;
  }
}

void tell(std::string_view text) {
  sigset_t pipe, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const bool written = std::fwrite(text.data(), 1, text.size(), stderr) == text.size();
  if (!written || std::fflush(stderr) != 0) {  // of a reader that is gone, the signal is taken back
    const timespec at_once{};
    sigtimedwait(&pipe, nullptr, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool is_terminal(Stream stream) { return isatty(stream == Stream::out ? STDOUT_FILENO : STDERR_FILENO) == 1; }

bool can_redraw(Stream stream) {
  const char* term = std::getenv("TERM");
  return is_terminal(stream) && !(term && std::string_view(term) == "dumb");
}

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool use_colour(Stream stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  return !colour_disabled && !(no_colour && *no_colour) && can_redraw(stream);
}

void disable_colour() { colour_disabled = true; }

std::string bold(std::string_view text, Stream stream) { return styled("1", text, stream); }
std::string red(std::string_view text, Stream stream) { return styled("1;31", text, stream); }
std::string yellow(std::string_view text, Stream stream) { return styled("33", text, stream); }

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (control && c != '\n' && c != '\t') c = '?';
  }
  for (size_t i = 0; i + 1 < result.size(); ++i) {  // U+0080 to U+009F
    const auto second = static_cast<unsigned char>(result[i + 1]);
    if (static_cast<unsigned char>(result[i]) == 0xC2 && second >= 0x80 && second <= 0x9F)
      result.replace(i, 2, "?");
  }
  return result;
}

std::string shortened(std::string_view text) {
  constexpr size_t longest = 8000, half = longest / 2;
  if (text.size() <= longest) return std::string(text);
  return fmt::format("{} [... {} bytes ...] {}", text.substr(0, half), text.size() - longest,
                     text.substr(text.size() - half));
}

std::string shell_quoted(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("-_./:=,@%+", c);
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string wrap(std::string_view text, size_t width, size_t indent) {
  std::string lines;
  size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (column > 0 && column + 1 + display_width(word) > width) {
      lines += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += display_width(word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return lines;
}

}  // namespace w2w::cli
