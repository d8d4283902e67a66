// w2w_bench MODEL [--steps N] [--size PIXELS] [--threads N] [--device D] [--dtype T] [--repeats N]
// [--people N] [--inversion STEPS]: one picture with a random person, timed part by part; then, with
// --repeats, medians of whole pictures, of N people in a batch, and with --inversion of steps over 10,000
// random components. Prints one JSON object. tools/bench/compare.py and cuda.py run it beside diffusers.

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "w2w/base/threads.h"
#include "w2w/device/allocator.h"
#include "w2w/device/device.h"
#include "w2w/pipeline/inversion.h"
#include "w2w/pipeline/text_to_image.h"
#include "w2w/space/space.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Seconds between the start of this process, as the kernel counts it, and now.
double process_age() {
  std::ifstream stat("/proc/self/stat"), uptime("/proc/uptime");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  for (int i = 0; i < 20; ++i) fields >> field;  // starttime is field 22, the first after the name is 3
  double up = 0;
  uptime >> up;
  return up - std::stod(field) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

w2w::Lora random_person(const w2w::Targets& targets) {
  w2w::Lora lora;
  for (const auto& target : targets) {
    lora[target.module] = {0.01 * at::randn({1, target.in}), 0.01 * at::randn({target.out, 1}), 27.0};
  }
  return lora;
}

w2w::Space random_space(const w2w::Targets& targets, int64_t components) {
  w2w::SpaceData data;
  data.layout.emplace(targets);
  const int64_t parameters = data.layout->parameters();
  data.mean = 0.01 * at::randn({parameters});
  data.std = 0.01 * at::randn({parameters}).abs();
  const int64_t drawn = std::min<int64_t>(components, 1000);
  data.components = at::randn({drawn, parameters}).div_(std::sqrt(static_cast<double>(parameters)));
  data.components = data.components.repeat({components / drawn, 1});
  return w2w::Space(data, "random");
}

/// Whole pictures after a first one: seconds of denoising and of all.
void time_pictures(w2w::TextToImage& model, const w2w::TextToImageOptions& picture, int repeats,
                   nlohmann::ordered_json& out) {
  std::vector<double> denoising, all;
  for (int i = 0; i <= repeats; ++i) {
    const auto start = Clock::now();
    const auto latents = model.denoise(picture).cpu();  // a device is still at the last step: waits for it
    const double half = seconds_since(start);
    model.decode(latents.to(model.device()), false);
    if (i == 0) continue;
    denoising.push_back(half);
    all.push_back(seconds_since(start));
  }
  out["steps_per_second"] = static_cast<double>(picture.steps) / median(denoising);
  out["picture_seconds"] = median(all);
}

/// Pictures of several random people in one batch, after a first one.
void time_people(w2w::TextToImage& model, const w2w::TextToImageOptions& picture, int64_t people, int repeats,
                 nlohmann::ordered_json& out) {
  const w2w::Layout layout(w2w::attention_targets(model.linear_layers()));
  const auto thetas = 0.01 * at::randn({people, layout.parameters()});
  std::vector<double> steps, all;
  for (int i = 0; i <= repeats; ++i) {
    const auto start = Clock::now();
    Clock::time_point first;
    double since_first = 0;
    const auto watch = [&](const w2w::ProgressEvent& event) {
      if (event.step == 1) first = Clock::now();
      if (event.step == event.total) since_first = seconds_since(first);
    };
    model.run_together(thetas, layout, picture, {.progress = watch});
    if (i == 0) continue;
    steps.push_back(since_first / (picture.steps - 1));
    all.push_back(seconds_since(start));
  }
  out["people_together"] = people;
  out["steps_per_second_together"] = 1 / median(steps);
  out["people_per_second"] = static_cast<double>(people) / median(all);
}

void time_inversion(w2w::TextToImage& model, int steps, int64_t pixels, nlohmann::ordered_json& out) {
  const auto space = random_space(w2w::attention_targets(model.linear_layers()), 10'000);
  w2w::InversionOptions options;
  options.steps = steps;
  options.width = options.height = pixels;
  w2w::Inversion inversion(model, space, options);
  const auto [width, height] = inversion.picture_size();
  std::vector<double> times;
  auto last = Clock::now();
  const auto start = last;
  w2w::InversionWalk walk(inversion, {{at::randn({3, height, width}).clamp(-1, 1), {}}},
                          inversion.initial_state());
  while (!walk.is_finished()) {
    walk.step();
    times.push_back(seconds_since(last));
    last = Clock::now();
  }
  out["inversion_seconds"] = seconds_since(start);
  out["inversion_first_step_seconds"] = times.front();
  out["inversion_steps_per_second"] = 1 / median({times.begin() + (times.size() > 3 ? 3 : 0), times.end()});
  out["inversion_last_loss"] = walk.state().losses.back();
}

/// Milliseconds from coefficients to a model that draws the person: theta, and the swap of the matrices.
void time_identity(w2w::TextToImage& model, nlohmann::ordered_json& out) {
  const auto targets = w2w::attention_targets(model.linear_layers());
  const auto space = random_space(targets, 1000);
  const auto coefficients = at::randn({space.components()});
  std::vector<double> theta, swap;
  for (int i = 0; i < 7; ++i) {
    auto start = Clock::now();
    space.theta(coefficients);
    theta.push_back(1e3 * seconds_since(start));
    const auto person = random_person(targets);
    start = Clock::now();
    model.set_person(person);
    swap.push_back(1e3 * seconds_since(start));
  }
  out["theta_ms_1000_components"] = median(theta);
  out["identity_swap_ms"] = median(swap);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr,
               "w2w_bench MODEL [--steps N] [--size PIXELS] [--threads N] [--device D] [--dtype T] "
               "[--repeats N] [--people N] [--inversion STEPS] [--latents OUT.safetensors]\n");
    return 2;
  }
  std::map<std::string, std::string> options = {{"--steps", "3"},    {"--size", "0"},      {"--threads", "0"},
                                                {"--device", "cpu"}, {"--dtype", "f32"},   {"--repeats", "0"},
                                                {"--people", "0"},   {"--inversion", "0"}, {"--latents", ""}};
  for (int i = 2; i + 1 < argc; i += 2) options.at(argv[i]) = argv[i + 1];
  w2w::keep_freed_memory();
  w2w::set_threads(std::stoi(options["--threads"]));

  nlohmann::ordered_json out;
  const auto device = w2w::parse_device(options["--device"]);
  const auto dtype = w2w::parse_dtype(options["--dtype"], device);
  w2w::TextToImage model(w2w::Checkpoint::open(argv[1]), at::TensorOptions(dtype).device(device));
  w2w::TextToImageOptions picture;
  picture.steps = std::stoi(options["--steps"]);
  picture.width = picture.height = std::stoi(options["--size"]);
  picture.sampler = w2w::parse_sampler("ddim");
  std::vector<double> steps;
  auto last = Clock::now();
  const auto watch = [&](const w2w::ProgressEvent& event) {
    if (event.step == 0) out["seconds_to_first_step"] = process_age();
    if (event.step > 0) steps.push_back(seconds_since(last));
    last = Clock::now();
  };
  const auto latents = model.denoise(picture, {.progress = watch});
  out["seconds_first_step"] = steps.front();
  out["seconds_per_step"] = median({steps.begin() + (steps.size() > 1), steps.end()});
  latents.cpu();  // waits for the last step
  const auto start = Clock::now();
  model.decode(latents, false);
  out["seconds_decode"] = seconds_since(start);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  out["peak_memory_gib"] = static_cast<double>(usage.ru_maxrss) / (1 << 20);
  if (!options["--latents"].empty())
    w2w::write_safetensors(options["--latents"], {{"latents", latents.cpu()}}, {});
  time_identity(model, out);
  if (const int repeats = std::stoi(options["--repeats"]); repeats > 0) {
    time_pictures(model, picture, repeats, out);
    if (const int people = std::stoi(options["--people"]); people > 0)
      time_people(model, picture, people, repeats, out);
  }
  if (const int steps_done = std::stoi(options["--inversion"]); steps_done > 0)
    time_inversion(model, steps_done, picture.width, out);
  fmt::print("{}\n", out.dump());
}
