#pragma once
// The files of a downloaded release, each looked at by itself: the space need not open.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace w2w {

struct ReleaseFile {
  enum class State {
    whole,
    cut,    ///< it ends before what its beginning declares
    wrong,  ///< it is something else, damaged, or does not fit the others
    missing,
  };
  std::string name;        ///< "V.pt"
  std::string holds;       ///< "principal components"
  std::string needed_for;  ///< "everything", "sample, edit, nearest", ...; empty: nothing
  bool required = false;   ///< no space without it
  State state = State::missing;
  int64_t size = 0;           ///< bytes on disk
  int64_t expected_size = 0;  ///< bytes it should have at least; 0: unknown
  std::string found;          ///< its shape, or what is wrong

  bool ok() const { return state == State::whole || (state == State::missing && !required); }
};

/// The folder of the release's files that `folder` is or holds as "files"; nothing when none of V.pt, mean.pt
/// and std.pt is there, or a space.json is.
std::optional<std::filesystem::path> release_folder(const std::filesystem::path& folder);

/// Every file of the release, those that are not there included. Of files of tensors only directory and
/// shapes are read; a file cut short is known by what its first bytes declare.
std::vector<ReleaseFile> inspect_release(const std::filesystem::path& folder);

}  // namespace w2w
