#pragma once
#include <filesystem>
#include <string>

namespace w2w {

/// What is read into memory as a whole has at most so many bytes.
constexpr size_t most_read = size_t{256} << 20;

/// All bytes of a text, table or picture: of a file, or of a stream that is read once to its end (a pipe,
/// /dev/stdin, <(...)). Hears interrupts while it waits. Error(not_found) when there is nothing of the name,
/// Error(malformed) for a folder and for more than `most_read` bytes, as of a stream without an end.
std::string read_file(const std::filesystem::path& path);

/// The same of an open descriptor that stays open; `name` is for messages.
std::string read_descriptor(int descriptor, const std::string& name);

/// Whether `path` is a pipe, a device or a socket, which can be read once only.
bool is_stream(const std::filesystem::path& path);

}  // namespace w2w
