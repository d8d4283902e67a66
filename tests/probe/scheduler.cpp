// scheduler JOBS.json IN.safetensors OUT.safetensors: walks each job {"config": {...}, "sampler": "",
// "schedule": "", "steps": N} with the model fake_model from IN's "x", noise for ancestral samplers being
// IN's "noise" [calls, ...]. Writes for job K "K.timesteps", "K.init_noise_sigma" and "K.samples" [calls,
// ...]; a job that fails writes nothing and prints "K: message".

#include <ATen/TensorOperators.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "probe.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"
#include "w2w/schedulers/sampler_names.h"

namespace {

/// Anything smooth that both sides compute with the same operations.
at::Tensor fake_model(const at::Tensor& input, double t) {
  return input * (0.2 + 0.0008 * t) + 0.1 * at::sin(2.0 * input + 0.001 * t);
}

w2w::ConfigValue value_of(const nlohmann::json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) return json.get<std::vector<double>>();
  return {};
}

void walk(const nlohmann::json& job, const std::string& name, const w2w::TensorMap& in, w2w::TensorMap& out) {
  auto config = w2w::default_config(job["config"]["_class_name"].get<std::string>());
  for (const auto& [key, value] : job["config"].items()) w2w::set_field(config, key, value_of(value));
  const auto choice =
      w2w::parse_sampler(job["sampler"].get<std::string>(), job["schedule"].get<std::string>());
  const auto scheduler = w2w::make_scheduler(config, choice);
  scheduler->set_timesteps(job["steps"]);
  const auto& timesteps = scheduler->timesteps();
  at::Tensor x = in.at("x") * scheduler->init_noise_sigma();
  std::vector<at::Tensor> samples;
  for (size_t i = 0; i < timesteps.size(); ++i) {
    const auto output = fake_model(scheduler->scale_model_input(x, i), timesteps[i]);
    x = scheduler->step(output, i, x, [&] { return in.at("noise")[static_cast<int64_t>(i)]; });
    samples.push_back(x);
  }
  out[name + ".timesteps"] = at::tensor(timesteps, at::kDouble);
  out[name + ".init_noise_sigma"] = at::tensor({scheduler->init_noise_sigma()}, at::kDouble);
  out[name + ".alphas_cumprod"] = scheduler->noise_schedule().alphas_cumprod;
  out[name + ".samples"] = at::stack(samples);
}

int scheduler(std::span<char* const> arguments) {
  if (arguments.size() != 3)
    throw w2w::Error(w2w::ErrorKind::usage, "scheduler JOBS.json IN.safetensors OUT.safetensors");
  const auto jobs = nlohmann::json::parse(std::ifstream(arguments[0]));
  const auto in = w2w::read_safetensors(arguments[1]).tensors;
  w2w::TensorMap out;
  for (size_t k = 0; k < jobs.size(); ++k) {
    try {
      walk(jobs[k], std::to_string(k), in, out);
    } catch (const w2w::Error& error) {
      fmt::print("{}: {}\n", k, error.what());
    }
  }
  w2w::write_safetensors(arguments[2], out, {});
  return 0;
}

}  // namespace

W2W_PROBE("scheduler", scheduler);
