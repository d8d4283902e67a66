#pragma once
// Files of named tensors, whatever their format.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "w2w/base/output_path.h"

namespace w2w {

using TensorMap = std::map<std::string, at::Tensor>;
using Metadata = std::map<std::string, std::string>;

/// The tensors of one file, as views of its memory mapping: nothing is read from disk until it is touched,
/// and a view keeps the mapping alive. Never write into them.
struct TensorFile {
  TensorMap tensors;
  Metadata metadata;   ///< safetensors' __metadata__; empty for torch files
  std::string format;  ///< "safetensors" or "torch"
};

/// The tensor of this name. Error(malformed) that begins with `where` ("damaged checkpoint (a.safetensors)")
/// unless it is there, of this type and shape (-1: any length), with finite values only.
const at::Tensor& expect_tensor(const TensorMap& tensors, const std::string& name, c10::ScalarType dtype,
                                c10::IntArrayRef shape, const std::string& where,
                                const std::string& hint = {});

/// Reads safetensors or torch (.pt, .bin, .ckpt, zip or legacy) by content, not by name. Of a torch file: a
/// bare tensor is named "", a state dict keeps its keys, nested dicts ("state_dict") are descended into with
/// dotted names unless they are the only content. Error(not_found) when there is no such file,
/// Error(malformed) when it cannot be read or holds no tensors.
TensorFile read_tensor_file(const std::filesystem::path& path);

/// Drops the resident pages of a contiguous view of a mapped file that has been copied; they come back if it
/// is read again. Other tensors are left alone.
void release_pages(const at::Tensor& tensor);

/// The strict reader of docs/formats.md: the whole header is validated before a byte is used;
/// Error(malformed) otherwise.
TensorFile read_safetensors(const std::filesystem::path& path);

/// Writes sorted by name (the bytes by element size first, so that every tensor is aligned), no clock, no
/// padding beyond the header's, atomically: the same input gives the same bytes.
void write_safetensors(const OutputPath& output, const TensorMap& tensors, const Metadata& metadata);

/// SHA-256 of the bytes after the header that write_safetensors would write (sshs_model_hash).
std::string safetensors_payload_sha256(const TensorMap& tensors);

/// torch.save(tensor, path): readable by torch.load(weights_only=True).
void write_torch_tensor(const OutputPath& output, const at::Tensor& tensor);

}  // namespace w2w
