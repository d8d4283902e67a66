#pragma once
// Where the training models of a space come from: LoRA files of any tool, folders of them, matrices of weight
// vectors, other spaces.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "w2w/base/run.h"

namespace w2w {

/// One LoRA, matrix or space.
struct ModelSource {
  enum class Kind { lora, matrix, space };
  Kind kind = Kind::lora;
  std::filesystem::path path;
  std::vector<std::string> names;  ///< of its models, in order; "" where nothing names one
  int64_t rank = 1;                ///< the highest of a LoRA
};

/// What stands at the given paths, in their order:
/// - a LoRA file, or a folder that holds one (PEFT, diffusers): one model, called after the file without a
///   trailing "_lora", or after the folder;
/// - a folder: all LoRAs in it and in its subfolders, in alphabetical order. Coefficients, checkpoints of
///   unfinished trainings, pictures and tables are passed over; any other file of tensors must be a LoRA;
/// - a file with one matrix [n, P]: n models, named by its metadata ("names", a JSON list), or by a .csv or
///   .txt of its name beside it;
/// - a space folder, compact or released: its training models.
/// No weight is read. Error(not_found) when there is nothing at a path or no LoRA in a folder,
/// Error(malformed) naming a file that is none of these.
std::vector<ModelSource> find_model_sources(const std::vector<std::filesystem::path>& paths,
                                            const Run& run = {});

/// The matrix [n, P] in a file, f32, f16, bf16 or f64 as stored, mapped. Error(malformed) unless the file
/// holds one matrix.
at::Tensor read_model_matrix(const std::filesystem::path& path);

/// Names of models, in order: the lines of a .txt, or the first column of a .csv below its header, or the
/// rows of identity_df.pt.
std::vector<std::string> read_model_names(const std::filesystem::path& path, const Run& run = {});

}  // namespace w2w
