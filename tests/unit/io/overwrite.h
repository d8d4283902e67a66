#pragma once
#include <filesystem>
#include <fstream>
#include <string>

namespace w2w::test {

/// Like write_file, without the flush to disk that would make thousands of hostile files take minutes.
inline void overwrite(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(path);  // file systems flush what replaces the content of a file
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace w2w::test
