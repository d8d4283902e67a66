// The files of the weights2weights release (reference.md).

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "readers.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"
#include "w2w/io/torch_value.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

at::Tensor read_tensor(const fs::path& path, int64_t dimensions) {
  if (!fs::exists(path)) {
    throw Error(ErrorKind::not_found,
                fmt::format("a file of the released space is missing ({})", path.string()),
                "the folder needs V.pt, mean.pt and std.pt; proj_1000pc.pt for sampling");
  }
  const auto file = read_tensor_file(path);
  const auto& [name, tensor] = *file.tensors.begin();
  if (file.tensors.size() != 1 || !tensor.is_floating_point() || tensor.dim() != dimensions) {
    throw Error(
        ErrorKind::malformed,
        fmt::format("expected one floating-point tensor of {} dimension(s) ({}), found {} of shape [{}]",
                    dimensions, path.string(), file.tensors.size(), fmt::join(tensor.sizes(), ", ")));
  }
  return tensor;
}

/// proj_1000pc.pt and its like: the number is the count of columns.
fs::path widest_projections(const fs::path& folder) {
  fs::path best;
  long most = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("proj_") || !name.ends_with("pc.pt")) continue;
    const long count = std::strtol(name.c_str() + 5, nullptr, 10);
    if (count > most) {
      most = count;
      best = entry.path();
    }
  }
  return best;
}

/// weight_dimensions.pt: a dict from the name of each factor, in flatten order, to (element count,
/// torch.Size). After the module a name has ".lora_A.weight" or ".lora_B.weight", with or without an
/// adapter's name.
void check_weight_dimensions(const fs::path& path, const Layout& layout) {
  const auto root = read_torch_file(path);
  const auto* dict = root.dict();
  const size_t expected_size = 2 * layout.targets().size();
  if (!dict) {
    throw Error(ErrorKind::malformed,
                fmt::format("expected a dict of names ({}), found {}", path.string(), root.description()));
  }
  if (dict->items.size() != expected_size) {
    throw Error(
        ErrorKind::failure,
        fmt::format("the released space was made for another model ({}): expected {} factors, found {}",
                    path.string(), expected_size, dict->items.size()));
  }
  for (size_t i = 0; i < expected_size; ++i) {
    const auto& target = layout.targets()[i / 2];
    const auto expected = layout.rank() * (i % 2 == 0 ? target.in : target.out);
    const auto& [key, value] = dict->items[i];
    const auto* name = key.text();
    const auto* entry = value.list();
    const int64_t count = entry && !entry->empty() ? entry->front().integer().value_or(-1) : -1;
    if (!name || name->find(target.module + ".") == std::string::npos || count != expected) {
      throw Error(
          ErrorKind::failure,
          fmt::format("the released space was made for another model ({}): entry {} should be {} with {} "
                      "values, found {} with {}",
                      path.string(), i, target.module, expected, name ? *name : key.description(), count));
    }
  }
}

}  // namespace

SpaceData read_released_space(const fs::path& folder, const Targets* linears) {
  SpaceData data;
  data.base_model = "stablediffusionapi/realistic-vision-v51";
  data.mean = read_tensor(folder / "mean.pt", 1).to(at::kFloat);
  data.std = read_tensor(folder / "std.pt", 1).to(at::kFloat);
  data.components = read_tensor(folder / "V.pt", 2).t();
  if (const auto path = widest_projections(folder); !path.empty()) {
    data.projections = read_tensor(path, 2);
    data.models = data.projections.size(0);
  }
  if (linears) {
    data.layout = Layout(attention_targets(*linears));
    // A wrong number of parameters is reported by Space, in fewer words.
    const auto dimensions = folder / "weight_dimensions.pt";
    if (fs::exists(dimensions) && data.layout->parameters() == data.mean.numel()) {
      check_weight_dimensions(dimensions, *data.layout);
    }
  }
  return data;
}

}  // namespace w2w
