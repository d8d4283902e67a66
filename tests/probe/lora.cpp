// LoRA files and the weight space, for tests/parity/test_lora.py and test_space.py.

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "probe.h"
#include "w2w/base/error.h"
#include "w2w/base/generator.h"
#include "w2w/device/device.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/algebra.h"
#include "w2w/lora/formats.h"
#include "w2w/space/sampling.h"

namespace w2w::probe {
namespace {

using Arguments = std::span<char* const>;

void expect_arguments(Arguments arguments, size_t count, const char* usage) {
  if (arguments.size() != count) throw Error(ErrorKind::usage, usage);
}

int64_t integer(const char* text) { return std::strtoll(text, nullptr, 10); }

/// theta SPACE IDENTITY OUT: the weight vector, after checking that the identity fits.
int theta(Arguments arguments) {
  expect_arguments(arguments, 3, "theta SPACE IDENTITY OUT");
  const auto space = Space::open(arguments[0]);
  const auto identity = read_identity(arguments[1]);
  check_identity_fits(identity, space, arguments[1]);
  write_safetensors(arguments[2], {{"theta", space.theta(identity.coefficients)}}, {});
  return 0;
}

/// draw SPACE COMPONENTS SPREAD SEED OUT: an identity file.
int draw(Arguments arguments) {
  expect_arguments(arguments, 5, "draw SPACE COMPONENTS SPREAD SEED OUT");
  const auto seed = static_cast<uint64_t>(integer(arguments[3]));
  const auto space = Space::open(arguments[0]);
  write_identity(arguments[4], draw_identity(space, integer(arguments[1]), std::atof(arguments[2]), seed));
  return 0;
}

/// space-info SPACE [COMPACT]: hash, parameters, components, models; with COMPACT, SPACE must be of the model
/// of COMPACT.
int space_info(Arguments arguments) {
  if (arguments.empty() || arguments.size() > 2) throw Error(ErrorKind::usage, "space-info SPACE [COMPACT]");
  Targets modules;
  if (arguments.size() == 2) modules = Space::open(arguments[1]).layout().targets();
  const auto space = Space::open(arguments[0], modules.empty() ? nullptr : &modules);
  std::printf("%s %lld %lld %lld\n", space.hash().c_str(), static_cast<long long>(space.parameters()),
              static_cast<long long>(space.components()), static_cast<long long>(space.data().models));
  return 0;
}

/// space-copy SPACE COMPACT DTYPE OUT: SPACE, of the model of COMPACT, written in the compact form.
int space_copy(Arguments arguments) {
  expect_arguments(arguments, 4, "space-copy SPACE COMPACT DTYPE OUT");
  const auto modules = Space::open(arguments[1]).layout().targets();
  write_space(arguments[3], Space::open(arguments[0], &modules).data(), parse_dtype(arguments[2], at::kCPU));
  return 0;
}

/// export SPACE IDENTITY kohya|peft|diffusers DTYPE OUT: a LoRA.
int export_lora(Arguments arguments) {
  expect_arguments(arguments, 5, "export SPACE IDENTITY FORMAT DTYPE OUT");
  const auto lora = Space::open(arguments[0]).lora(read_identity(arguments[1]).coefficients);
  const std::string format = arguments[2];
  LoraFileOptions options;
  options.dtype = parse_dtype(arguments[3], at::kCPU);
  options.name = "person";
  const auto write = format == "kohya" ? write_kohya : format == "peft" ? write_peft : write_diffusers;
  write(arguments[4], lora, options);
  return 0;
}

/// import SPACE LORA OUT: for each changed module of the space's model its delta, down, up and scale.
int import_lora(Arguments arguments) {
  expect_arguments(arguments, 3, "import SPACE LORA OUT");
  TensorMap tensors;
  for (const auto& [module, factors] :
       read_lora(arguments[1], Space::open(arguments[0]).layout().targets())) {
    tensors[module + ".delta"] = delta(factors);
    tensors[module + ".down"] = factors.down;
    tensors[module + ".up"] = factors.up;
    tensors[module + ".scale"] = at::zeros({}, at::kDouble).fill_(factors.scale);
    tensors[module + ".rank_one"] = delta(best_rank_one(factors));
  }
  write_safetensors(arguments[2], tensors, {});
  return 0;
}

template <typename Work>
double best_milliseconds(int runs, Work work) {
  double best = 1e30;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count());
  }
  return best;
}

/// theta-time SPACE COMPONENTS: milliseconds of the first product and of the best of ten.
int theta_time(Arguments arguments) {
  expect_arguments(arguments, 2, "theta-time SPACE COMPONENTS");
  const auto space = Space::open(arguments[0]);
  const auto c = Generator(1).randn({integer(arguments[1])});
  const auto product = [&] { space.theta(c); };
  const double first = best_milliseconds(1, product);
  std::printf("first %.1f ms, best of ten %.1f ms\n", first, best_milliseconds(10, product));
  return 0;
}

/// bake-time SPACE: milliseconds to change all its matrices, best of ten.
int bake_time(Arguments arguments) {
  expect_arguments(arguments, 1, "bake-time SPACE");
  const auto space = Space::open(arguments[0]);
  const auto lora = space.lora(Generator(1).randn({1}));
  std::vector<std::pair<at::Tensor, at::Tensor>> weights;
  for (const auto& [module, factors] : lora) {
    const auto base = Generator(2).randn({factors.up.size(0), factors.down.size(1)});
    weights.emplace_back(base.clone(), base);
  }
  const double best = best_milliseconds(10, [&] {
    auto weight = weights.begin();
    for (const auto& [module, factors] : lora) {
      bake(weight->first, weight->second, factors);
      ++weight;
    }
  });
  std::printf("%zu matrices in %.2f ms\n", lora.size(), best);
  return 0;
}

W2W_PROBE("theta", theta);
W2W_PROBE("draw", draw);
W2W_PROBE("space-info", space_info);
W2W_PROBE("space-copy", space_copy);
W2W_PROBE("export", export_lora);
W2W_PROBE("import", import_lora);
W2W_PROBE("theta-time", theta_time);
W2W_PROBE("bake-time", bake_time);

}  // namespace
}  // namespace w2w::probe
