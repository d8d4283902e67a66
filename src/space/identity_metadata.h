#pragma once
// What files of coefficients say of people besides the numbers.

#include <filesystem>

#include "w2w/io/tensor_file.h"
#include "w2w/space/identity.h"

namespace w2w {

constexpr const char* coefficients_tensor = "coefficients";

Metadata metadata_of(const Identity& identity);

/// All that `metadata` say. Error(malformed) for the format of a newer w2w.
void take_metadata(Identity& identity, const Metadata& metadata, const std::filesystem::path& path);

/// Error(failure) unless all are finite.
void check_finite_to_write(const at::Tensor& coefficients, const std::filesystem::path& output);

}  // namespace w2w
