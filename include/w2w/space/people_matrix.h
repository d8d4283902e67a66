#pragma once
// Many people in one file: a matrix of coefficients with a name for each row.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "w2w/base/output_path.h"
#include "w2w/space/identity.h"

namespace w2w {

struct PeopleMatrix {
  at::Tensor coefficients;         ///< f32 [n, k]
  std::vector<std::string> names;  ///< n file names, each once; or empty where a file has none
  Identity first;  ///< space, model and trigger of everybody, without coefficients; the history of row 0

  int64_t size() const { return coefficients.size(0); }

  /// The person of a row, in memory of its own. Of people who were drawn together the seed counts up: where
  /// the history of row 0 is one `sample` with an `identity_seed`, that of row i has the seed + i.
  Identity person(int64_t row) const;

  /// The row that `text` chooses: a name, else a number from 0. Error(usage) with the nearest name; `file` is
  /// for the message.
  int64_t row(const std::string& text, const std::string& file) const;
};

/// Whether `path` is such a file: looks at its header only. A single row without a name is an identity
/// (is_identity). False when there is nothing readable.
bool is_people_matrix(const std::filesystem::path& path);

/// A .safetensors file with the tensor `coefficients` [n, k] of any floating type; metadata `names`, a JSON
/// list, and those of write_identity, all of which may be missing. f32 is left in the mapped file.
/// Error(malformed).
PeopleMatrix read_people_matrix(const std::filesystem::path& path);

/// Atomically and deterministically, Error(failure) for coefficients that are not finite.
void write_people_matrix(const OutputPath& output, const PeopleMatrix& people);

}  // namespace w2w
