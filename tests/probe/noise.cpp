// noise SEED CALLS SIZE... OUT.safetensors: the first CALLS draws of the given shape from a CUDA generator's
// stream, named 0, 1, ...

#include <cstdlib>
#include <string>

#include "probe.h"
#include "w2w/base/error.h"
#include "w2w/base/generator.h"
#include "w2w/io/tensor_file.h"

namespace w2w::probe {
namespace {

int noise(std::span<char* const> arguments) {
  if (arguments.size() < 4) throw Error(ErrorKind::usage, "noise SEED CALLS SIZE... OUT.safetensors");
  std::vector<int64_t> shape;
  for (const char* size : arguments.subspan(2, arguments.size() - 3)) shape.push_back(std::atoll(size));
  NoiseStream stream(std::strtoull(arguments[0], nullptr, 10), NoiseSource::cuda);
  TensorMap out;
  for (int call = 0; call < std::atoi(arguments[1]); ++call) out[std::to_string(call)] = stream.randn(shape);
  write_safetensors(arguments.back(), out, {});
  return 0;
}

W2W_PROBE("noise", noise);

}  // namespace
}  // namespace w2w::probe
