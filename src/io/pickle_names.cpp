#include "io/pickle_names.h"

#include <string_view>
#include <unordered_set>

namespace w2w {
namespace {

/// The names that tensors, state dicts, training checkpoints and data frames need. Python 2's module names
/// are translated by global_name.
const std::unordered_set<std::string_view>& allowed_names() {
  static const std::unordered_set<std::string_view> names{
      "_codecs.encode",
      "builtins.bytes",
      "builtins.set",
      "builtins.slice",
      "collections.OrderedDict",
      "numpy._core.multiarray._reconstruct",
      "numpy._core.multiarray.scalar",
      "numpy._core.numeric._frombuffer",
      "numpy.dtype",
      "numpy.ndarray",
      "pandas._libs.internals._unpickle_block",
      "pandas.core.frame.DataFrame",
      "pandas.core.indexes.base.Index",
      "pandas.core.indexes.base._new_Index",
      "pandas.core.indexes.numeric.Int64Index",
      "pandas.core.indexes.range.RangeIndex",
      "pandas.core.internals.managers.BlockManager",
      // The keys of the "callbacks" of Stable Diffusion's own .ckpt files.
      "pytorch_lightning.callbacks.ModelCheckpoint",
      "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
      "torch.BFloat16Storage",
      "torch.BoolStorage",
      "torch.ByteStorage",
      "torch.CharStorage",
      "torch.DoubleStorage",
      "torch.FloatStorage",
      "torch.HalfStorage",
      "torch.IntStorage",
      "torch.LongStorage",
      "torch.ShortStorage",
      "torch.Size",
      "torch._utils._rebuild_parameter",
      "torch._utils._rebuild_tensor",
      "torch._utils._rebuild_tensor_v2",
      "torch.bfloat16",
      "torch.bool",
      "torch.device",
      "torch.float16",
      "torch.float32",
      "torch.float64",
      "torch.int16",
      "torch.int32",
      "torch.int64",
      "torch.int8",
      "torch.uint8",
  };
  return names;
}

}  // namespace

std::string pickle_global_name(std::string module, const std::string& name) {
  if (module == "__builtin__") module = "builtins";
  constexpr std::string_view old_numpy = "numpy.core.";
  if (module.starts_with(old_numpy)) module = "numpy._core." + module.substr(old_numpy.size());
  return module + "." + name;
}

bool is_allowed_in_pickles(const std::string& full_name) { return allowed_names().contains(full_name); }

}  // namespace w2w
