#pragma once
#include <string>
#include <string_view>

namespace w2w::cli {

enum class Stream { out, error };

/// Gives the standard streams that the parent closed to /dev/null: the next file opened would be theirs, and
/// messages would end in it. Writing to them goes on failing.
void fill_closed_streams();

/// Writes to stderr. Messages do not end a command: where they cannot be written, they are lost.
void tell(std::string_view text);

bool is_terminal(Stream stream);

/// A terminal whose lines can be drawn anew, which TERM "dumb" says of none.
bool can_redraw(Stream stream);

/// Columns of the terminal, 80 where there is none.
int terminal_width();

/// Colours are used on a terminal unless NO_COLOR is set, TERM is "dumb", or `disable_colour` was called
/// (--no-color).
bool use_colour(Stream stream);
void disable_colour();

/// `text` in bold, red or yellow on a stream with colours, else unchanged.
std::string bold(std::string_view text, Stream stream);
std::string red(std::string_view text, Stream stream);
std::string yellow(std::string_view text, Stream stream);

/// Without what would move a terminal's cursor or change its colours: texts from files and arguments. Line
/// ends and tabs stay.
std::string printable(std::string_view text);

/// A word of a command, for a POSIX shell.
std::string shell_quoted(const std::string& word);

/// A message that quotes what it found may be as long as a file: without its middle then.
std::string shortened(std::string_view text);

/// The number of columns `text` takes: code points, not bytes.
size_t display_width(std::string_view text);

/// `text` broken at spaces into lines of at most `width` columns; every line after the first begins with
/// `indent` spaces.
std::string wrap(std::string_view text, size_t width, size_t indent);

}  // namespace w2w::cli
