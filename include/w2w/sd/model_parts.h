#pragma once
#include <filesystem>

#include "w2w/io/tensor_file.h"

namespace w2w {

/// What takes the place of a model's own parts, or fills in for those it lacks; empty paths do nothing.
/// VAE and text encoder: a folder as diffusers and transformers save them, the folder of a model that holds
/// one, or a file (.safetensors, .ckpt) under any names such files have.
struct ModelParts {
  std::filesystem::path tokenizer;  ///< a folder with vocab.json and merges.txt
  std::filesystem::path vae, text_encoder;
};

/// A VAE or a text encoder from elsewhere; without a path there is none.
struct PartFile {
  std::filesystem::path path;    ///< the folder or file
  std::filesystem::path config;  ///< its config.json; empty: as the model's own part
  TensorMap tensors;             ///< under the file's names, less what stands before all of the part's
};

}  // namespace w2w
