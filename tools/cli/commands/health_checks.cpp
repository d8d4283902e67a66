#include "cli/commands/health_checks.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <thread>

#include "cli/app/version.h"
#include "cli/files/locate.h"
#include "cli/files/release_table.h"
#include "cli/terminal/worded.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/generator.h"
#include "w2w/base/read_file.h"
#include "w2w/base/version.h"
#include "w2w/device/accelerator.h"
#include "w2w/device/device.h"
#include "w2w/lora/target.h"
#include "w2w/sd/checkpoint.h"
#include "w2w/space/space.h"
#include "w2w/text/clip_tokenizer.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

/// The value after "NAME :" of a line in /proc, or empty.
std::string proc_value(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with(name) || colon == std::string::npos) continue;
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return {};
}

[[noreturn]] void wrong(const std::string& what) { throw Error(ErrorKind::failure, what); }

void expect_near(const char* what, double found, double expected) {
  if (!(std::abs(found - expected) <= 1e-5 * std::max(1.0, std::abs(expected)))) {
    wrong(fmt::format("{} expected {}, found {}", what, expected, found));
  }
}

std::string processor() {
  return fmt::format("{}, instruction set {}", proc_value("/proc/cpuinfo", "model name"), cpu_capability());
}

std::string memory() {
  const auto gigabytes = [](const char* name) {
    const auto text = proc_value("/proc/meminfo", name);  // "16384 kB"
    double kilobytes = 0;
    std::from_chars(text.data(), text.data() + text.size(), kilobytes);
    return kilobytes / (1 << 20);
  };
  return fmt::format("{:.1f} GB free of {:.1f} GB", gigabytes("MemAvailable"), gigabytes("MemTotal"));
}

/// Error(failure) when the device asked for cannot be used.
std::string devices(const ModelOptions& options) {
  parse_device(options.device);
  std::string text = "cpu";
  if (const auto* cuda = accelerator()) {
    int index = 0;
    for (const auto& device : cuda->devices()) {
      text +=
          fmt::format("; cuda:{} {} ({:.0f} GiB, compute capability {}.{})", index++, device.name,
                      static_cast<double>(device.memory) / (int64_t{1} << 30), device.major, device.minor);
    }
    return text;
  }
  return text + "; no CUDA: " + accelerator_problem();
}

std::string model_found(const ModelOptions& options, const Run& run) {
  const auto path = locate_model(options.model, run);
  const auto checkpoint = Checkpoint::open(path, locate_parts(options));
  const auto side = checkpoint.unet_config().sample_size * checkpoint.vae_config().down_factor();
  return fmt::format("{} ({} x {} pixels)", path.string(), side, side);
}

std::string space_found(const ModelOptions& options, const Run& run) {
  const auto path = locate_space(options.space, run);
  const auto space = Space::open(path, nullptr, run);
  return fmt::format("{} ({} components, {} parameters)", path.string(), space.components(),
                     space.parameters());
}

/// The files of a released space, one by one.
std::vector<HealthCheck> release_checks(const ModelOptions& options) {
  const auto release = options.space ? release_folder(*options.space) : std::nullopt;
  if (!release) return {};
  const auto files = inspect_release(*release);
  size_t width = 0;
  for (const auto& file : files) width = std::max(width, size_of(file).size());
  std::vector<HealthCheck> checks;
  for (const auto& file : files) {
    checks.push_back({file.name, file.ok(), fmt::format("{:>{}}  {}", size_of(file), width, file.found),
                      file.ok() && file.state == ReleaseFile::State::missing});
  }
  if (const auto next = fetch_command(files, *release); !next.empty())
    checks.push_back({"next", true, next, /*absent=*/true});
  return checks;
}

std::string fit_of(const ModelOptions& options, const Run& run) {
  const auto linears = linear_layers(open_checkpoint(options, run).part("unet"));
  Space::open(locate_space(options.space, run), &linears, run);
  return "the space belongs to this model";
}

std::string hub_cache_found() {
  std::string text;
  for (const auto& cache : hub_caches()) {
    if (!fs::is_directory(cache)) continue;
    const auto models = std::count_if(
        fs::directory_iterator(cache), fs::directory_iterator(),
        [](const auto& entry) { return entry.path().filename().string().starts_with("models--"); });
    text += fmt::format("{}{} ({} models)", text.empty() ? "" : "; ", cache.string(), models);
  }
  return text.empty() ? "none" : text;
}

/// Sums that are known without computing: of 1 x 1 + 2 x 2 + ..., and of a 3x3 window sliding over ones.
std::string arithmetic() {
  const auto row = at::arange(1, 301, at::kFloat);
  expect_near("a product of vectors is wrong:", at::matmul(row, row).item<double>(), 300.0 * 301 * 601 / 6);
  const auto picture = at::ones({1, 8, 16, 16}), kernel = at::ones({4, 8, 3, 3});
  const auto convolved = at::conv2d(picture, kernel, {}, 1, 1);
  expect_near("a convolution is wrong:", convolved.sum().item<double>(),
              4.0 * 8 * (16 * 3 - 2) * (16 * 3 - 2));
  return "products and convolutions are correct";
}

/// The first numbers of torch.randn(16) and torch.randn(3) after manual_seed(42); short draws take another
/// way.
std::string random_numbers() {
  expect_near("torch.randn(16) of seed 42:", Generator(42).randn({16})[2].item<double>(), 0.9007171988487244);
  expect_near("torch.randn(3) of seed 42:", Generator(42).randn({3})[2].item<double>(), 0.23446236550807953);
  return "the same as Python's torch";
}

std::string tokenizer() {
  const std::vector<int64_t> expected = {320, 1125, 539, 320, 2533};  // transformers' ids
  const auto found = ClipTokenizer::builtin().encode("a photo of a person");
  if (found != expected)
    wrong(fmt::format("expected {}, found {}", fmt::join(expected, " "), fmt::join(found, " ")));
  return "the built-in vocabulary gives CLIP's ids";
}

std::string files() {
  const auto path = fs::temp_directory_path() / fmt::format("w2w-doctor-{}", getpid());
  const std::string text = "written and read again";
  write_file(path, text);
  const auto found = read_file(path);
  fs::remove(path);
  if (found != text) wrong(fmt::format("a file was not read as written ({})", path.string()));
  return fmt::format("written and read in {}", fs::temp_directory_path().string());
}

HealthCheck checked(const std::string& name, const std::function<std::string()>& check) {
  try {
    return {name, true, check()};
  } catch (const Error& error) {
    return {name, false,
            fmt::format("{}{}{}", error.what(), error.hint().empty() ? "" : "; ", worded(error.hint()))};
  } catch (const std::exception& error) {
    return {name, false, error.what()};
  }
}

}  // namespace

std::vector<HealthCheck> health_checks(const ModelOptions& options, const Run& run) {
  std::vector<HealthCheck> checks = {
      checked("w2w", [] { return std::string(version()); }),
      checked("LibTorch", torch_version),
      checked("processor", processor),
      checked("memory", memory),
      checked(
          "threads",
          [] { return fmt::format("{} of {}", at::get_num_threads(), std::thread::hardware_concurrency()); }),
      checked("devices", [&] { return devices(options); }),
      checked("model", [&] { return model_found(options, run); }),
      checked("space", [&] { return space_found(options, run); }),
      checked("hub cache", hub_cache_found),
      checked("arithmetic", arithmetic),
      checked("random numbers", random_numbers),
      checked("tokens", tokenizer),
      checked("files", files),
  };
  const auto space = std::find_if(checks.begin(), checks.end(),
                                  [](const HealthCheck& check) { return check.name == "space"; });
  const auto files_of_release = release_checks(options);
  checks.insert(space + 1, files_of_release.begin(), files_of_release.end());
  const auto is_well = [&](const char* name) {
    return std::any_of(checks.begin(), checks.end(),
                       [&](const HealthCheck& check) { return check.name == name && check.ok; });
  };
  const bool one_is_of_the_demo_world = options.model.has_value() != options.space.has_value();
  if (is_well("model") && is_well("space") && !one_is_of_the_demo_world) {
    checks.push_back(checked("model and space", [&] { return fit_of(options, run); }));
  }
  return checks;
}

}  // namespace w2w::cli
