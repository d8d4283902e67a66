#pragma once
// One person: coefficients in a space.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "w2w/base/output_path.h"

namespace w2w {

class Space;

struct Identity {
  at::Tensor coefficients;             ///< f32 [k]
  std::string space_hash;              ///< Space::hash(), or empty when the file does not say (.pt)
  std::string model;                   ///< the base model's name
  std::string history = "[]";          ///< JSON list: commands, seeds, edits
  std::string trigger = "sks person";  ///< words that mean this person in a prompt
  std::string basis = {};              ///< Space::basis(), or empty when the file does not say
};

/// Says of coefficients that they belong to `space`.
void set_space(Identity& identity, const Space& space);

/// Whether `path` is a file of coefficients (or a folder with the reference's w2wmodel.pt), as opposed to a
/// LoRA: looks at the names of the tensors only. False when there is nothing readable.
bool is_identity(const std::filesystem::path& path);

/// Reads a .safetensors file (tensor "coefficients"), the reference's .pt ([1, k] or [k]) or a folder with
/// w2wmodel.pt. Error(not_found), or Error(malformed) with the tensors found.
Identity read_identity(const std::filesystem::path& path);

/// Atomically and deterministically, Error(failure) for coefficients that are not finite; a path that ends in
/// .pt is written as the reference does, f32 [1, k] without metadata.
void write_identity(const OutputPath& output, const Identity& identity);

/// Error(failure) with both values when the identity has more coefficients than the space has components, was
/// made in another space or in one of the same models whose components were found otherwise. `name` is the
/// identity's path, for the message.
void check_identity_fits(const Identity& identity, const Space& space, const std::string& name);

}  // namespace w2w
