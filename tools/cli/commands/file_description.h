#pragma once
// What a file or folder is, told from its contents.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "w2w/io/tensor_file.h"

namespace w2w::cli {

struct TensorSummary {
  std::string name, dtype;
  std::vector<int64_t> shape;
};

struct FileDescription {
  /// coefficients, directions, lora, checkpoint, tensors, model, tokenizer, space, picture, table, json,
  /// values
  std::string kind;
  std::string title;  ///< the kind in words
  nlohmann::ordered_json facts =
      nlohmann::ordered_json::object();  ///< what matters, flat, in the order shown; shown with spaces for _
  Metadata metadata = {};
  std::vector<TensorSummary> tensors = {};
};

/// Error(not_found) when there is nothing at `path`; Error(malformed) for damaged files and for kinds w2w
/// does not know.
FileDescription describe_file(const std::filesystem::path& path);

/// The parts of describe_file, one a kind.
FileDescription describe_folder(const std::filesystem::path& folder);
FileDescription describe_tensors(const std::filesystem::path& path);
FileDescription describe_picture(const std::filesystem::path& path);
FileDescription describe_csv(const std::filesystem::path& path);
FileDescription describe_table(const std::filesystem::path& path);  ///< a pickled pandas table

}  // namespace w2w::cli
