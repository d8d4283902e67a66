// The files of the weights2weights release (docs/formats.md, "The released space").

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>

#include "readers.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

std::string shape_of(const at::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
}

[[noreturn]] void refuse(const fs::path& path, const std::string& expected, const at::Tensor& found) {
  throw Error(ErrorKind::malformed, fmt::format("expected {} ({}), found {} of {}", expected, path.string(),
                                                shape_of(found), c10::toString(found.scalar_type())));
}

at::Tensor read_tensor(const fs::path& path) {
  if (!fs::exists(path)) {
    throw Error(ErrorKind::not_found,
                fmt::format("a file of the released space is missing ({})", path.string()),
                "the folder needs V.pt, mean.pt and std.pt; proj_1000pc.pt for sampling. <verify> lists "
                "what is there");
  }
  const auto file = read_tensor_file(path);
  const auto& tensor = file.tensors.begin()->second;
  if (file.tensors.size() != 1) {
    throw Error(ErrorKind::malformed,
                fmt::format("expected one tensor ({}), found {}", path.string(), file.tensors.size()));
  }
  if (!tensor.is_floating_point()) refuse(path, "floating-point numbers", tensor);
  return tensor;
}

at::Tensor read_matrix(const fs::path& path) {
  const auto tensor = read_tensor(path);
  if (tensor.dim() != 2) refuse(path, "a matrix", tensor);
  return tensor;
}

/// The number in "proj_1000pc.pt"; 0 for other names.
int64_t columns_in_name(const std::string& name) {
  if (!name.starts_with("proj_") || !name.ends_with("pc.pt")) return 0;
  return std::strtol(name.c_str() + 5, nullptr, 10);
}

/// proj_1000pc.pt and its like: the number is the count of columns.
fs::path widest_projections(const fs::path& folder) {
  fs::path best;
  int64_t most = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto count = columns_in_name(entry.path().filename().string());
    if (count > most) {
      most = count;
      best = entry.path();
    }
  }
  return best;
}

}  // namespace

at::Tensor read_released_vector(const fs::path& path) {
  const auto tensor = read_tensor(path);
  const bool line = tensor.dim() == 1 || (tensor.dim() == 2 && (tensor.size(0) == 1 || tensor.size(1) == 1));
  if (!line) refuse(path, "a vector", tensor);
  return tensor.reshape({-1}).to(at::kFloat);
}

at::Tensor read_released_components(const fs::path& path, int64_t parameters) {
  const auto v = read_matrix(path);
  if (parameters != 0 && v.size(0) != parameters && v.size(1) != parameters) {
    refuse(path, fmt::format("a matrix [{}, components], as long as mean.pt", parameters), v);
  }
  return v.size(1) == parameters && v.size(0) != parameters ? v : v.t();
}

at::Tensor read_released_projections(const fs::path& path) {
  const auto matrix = read_matrix(path);
  const auto columns = columns_in_name(path.filename().string());
  return matrix.size(1) != columns && matrix.size(0) == columns ? matrix.t() : matrix;
}

SpaceData read_released_space(const fs::path& folder) {
  SpaceData data;
  data.base_model = "stablediffusionapi/realistic-vision-v51";
  data.mean = read_released_vector(folder / "mean.pt");
  data.std = read_released_vector(folder / "std.pt");
  data.components = read_released_components(folder / "V.pt", data.mean.numel());
  if (data.components.scalar_type() == at::kDouble) data.components = data.components.to(at::kFloat);
  if (const auto path = widest_projections(folder); !path.empty()) {
    data.projections = read_released_projections(path);
    data.models = data.projections.size(0);
  }
  return data;
}

}  // namespace w2w
