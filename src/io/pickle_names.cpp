#include "io/pickle_names.h"

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace w2w {
namespace {

/// The names that tensors, state dicts, training checkpoints and data frames need. Python 2's module names
/// are translated by pickle_global_name.
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
      "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
      "pandas._libs.internals._unpickle_block",
      "pandas._libs.missing.NA",
      "pandas.core.arrays.boolean.BooleanArray",
      "pandas.core.arrays.boolean.BooleanDtype",
      "pandas.core.arrays.categorical.Categorical",
      "pandas.core.arrays.floating.Float32Dtype",
      "pandas.core.arrays.floating.Float64Dtype",
      "pandas.core.arrays.floating.FloatingArray",
      "pandas.core.arrays.integer.Int16Dtype",
      "pandas.core.arrays.integer.Int32Dtype",
      "pandas.core.arrays.integer.Int64Dtype",
      "pandas.core.arrays.integer.Int8Dtype",
      "pandas.core.arrays.integer.IntegerArray",
      "pandas.core.arrays.integer.UInt8Dtype",
      "pandas.core.arrays.string_.StringArray",
      "pandas.core.arrays.string_.StringArrayNumpySemantics",
      "pandas.core.arrays.string_.StringDtype",
      "pandas.core.dtypes.dtypes.CategoricalDtype",
      "pandas.core.frame.DataFrame",
      "pandas.core.indexes.base.Index",
      "pandas.core.indexes.base._new_Index",
      "pandas.core.indexes.numeric.Float64Index",
      "pandas.core.indexes.numeric.Int64Index",
      "pandas.core.indexes.numeric.UInt64Index",
      "pandas.core.indexes.range.RangeIndex",
      "pandas.core.internals.blocks.new_block",
      "pandas.core.internals.managers.BlockManager",
      "pandas.core.internals.managers.SingleBlockManager",
      "pandas.core.series.Series",
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
      "torch.Tensor",
      "torch._tensor._rebuild_from_type_v2",
      "torch._utils._rebuild_parameter",
      "torch._utils._rebuild_parameter_with_state",
      "torch._utils._rebuild_tensor",
      "torch._utils._rebuild_tensor_v2",
      "torch._utils._rebuild_tensor_v3",
      "torch.bfloat16",
      "torch.bool",
      "torch.device",
      "torch.float16",
      "torch.float32",
      "torch.float64",
      "torch.float8_e4m3fn",
      "torch.float8_e5m2",
      "torch.int16",
      "torch.int32",
      "torch.int64",
      "torch.int8",
      "torch.nn.modules.container.ParameterDict",
      "torch.nn.parameter.Parameter",
      "torch.storage.UntypedStorage",
      "torch.uint8",
  };
  return names;
}

}  // namespace

namespace {

/// pandas 3 pickles its classes by their public names.
const std::unordered_map<std::string_view, std::string_view>& pandas_names() {
  static const std::unordered_map<std::string_view, std::string_view> names{
      {"pandas.BooleanDtype", "pandas.core.arrays.boolean.BooleanDtype"},
      {"pandas.Categorical", "pandas.core.arrays.categorical.Categorical"},
      {"pandas.CategoricalDtype", "pandas.core.dtypes.dtypes.CategoricalDtype"},
      {"pandas.DataFrame", "pandas.core.frame.DataFrame"},
      {"pandas.Float32Dtype", "pandas.core.arrays.floating.Float32Dtype"},
      {"pandas.Float64Dtype", "pandas.core.arrays.floating.Float64Dtype"},
      {"pandas.Index", "pandas.core.indexes.base.Index"},
      {"pandas.Int64Dtype", "pandas.core.arrays.integer.Int64Dtype"},
      {"pandas.Int8Dtype", "pandas.core.arrays.integer.Int8Dtype"},
      {"pandas.NA", "pandas._libs.missing.NA"},
      {"pandas.RangeIndex", "pandas.core.indexes.range.RangeIndex"},
      {"pandas.Series", "pandas.core.series.Series"},
      {"pandas.StringDtype", "pandas.core.arrays.string_.StringDtype"},
      {"pandas.arrays.BooleanArray", "pandas.core.arrays.boolean.BooleanArray"},
      {"pandas.arrays.FloatingArray", "pandas.core.arrays.floating.FloatingArray"},
      {"pandas.arrays.IntegerArray", "pandas.core.arrays.integer.IntegerArray"},
      {"pandas.arrays.StringArray", "pandas.core.arrays.string_.StringArray"},
  };
  return names;
}

}  // namespace

std::string pickle_global_name(std::string module, const std::string& name) {
  if (module == "__builtin__") module = "builtins";
  if (module == "pandas.core.internals") module = "pandas.core.internals.managers";  // before 0.24
  constexpr std::string_view old_numpy = "numpy.core.";
  if (module.starts_with(old_numpy)) module = "numpy._core." + module.substr(old_numpy.size());
  const auto full = module + "." + name;
  const auto known = pandas_names().find(full);
  return known == pandas_names().end() ? full : std::string(known->second);
}

bool is_allowed_in_pickles(const std::string& full_name) { return allowed_names().contains(full_name); }

}  // namespace w2w
