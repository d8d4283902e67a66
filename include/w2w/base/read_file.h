#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "w2w/base/run.h"

namespace w2w {

/// What is read into memory as a whole has at most so many bytes.
constexpr size_t most_read = size_t{256} << 20;

/// All bytes of a text, table or picture: of a file, or of a stream that is read once to its end (a pipe,
/// /dev/stdin, <(...)). Looks for a stop while it waits. Error(not_found) when there is nothing of the name,
/// Error(malformed) for a folder and for more than `most_read` bytes, as of a stream without an end.
std::string read_file(const std::filesystem::path& path, const Run& run = {});

/// What programs write before a text to tell its encoding is left out: the rest of UTF-8 after its byte order
/// mark; Error(malformed) for UTF-16. `name` is for messages.
std::string_view without_byte_order_mark(std::string_view text, const std::string& name);

/// read_file of a text, without its byte order mark.
std::string read_text(const std::filesystem::path& path, const Run& run = {});

/// read_file of an open descriptor that stays open; `name` is for messages.
std::string read_descriptor(int descriptor, const std::string& name, const Run& run = {});

/// Whether `path` is a pipe, a device or a socket, which can be read once only.
bool is_stream(const std::filesystem::path& path);

}  // namespace w2w
