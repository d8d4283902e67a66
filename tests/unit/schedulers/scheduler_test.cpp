#include "w2w/schedulers/scheduler.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "w2w/base/generator.h"
#include "w2w/schedulers/sampler_names.h"

namespace w2w {
namespace {

SchedulerConfig stable_diffusion() {
  SchedulerConfig config;
  set_field(config, "beta_start", 0.00085);
  set_field(config, "beta_end", 0.012);
  set_field(config, "beta_schedule", "scaled_linear");
  set_field(config, "skip_prk_steps", true);
  set_field(config, "clip_sample", false);
  set_field(config, "steps_offset", int64_t{1});
  return config;
}

/// Steps first..last - 1 of a walk with a linear "model".
at::Tensor walk(Scheduler& scheduler, at::Tensor x, size_t first, size_t last) {
  const auto noise = Generator(5).randn({1, 4, 4, 4});
  for (size_t i = first; i < last; ++i) {
    const auto output = scheduler.scale_model_input(x, i) * (0.2 + 0.0005 * scheduler.timesteps()[i]);
    x = scheduler.step(output, i, x, [&] { return noise; });
  }
  return x;
}

TEST(Scheduler, ListsOneTimestepPerModelCall) {
  const std::map<std::string, size_t> calls = {{"pndm", 11}, {"plms", 11}, {"heun", 19}};
  for (const auto& name : sampler_names()) {
    auto scheduler = make_scheduler(stable_diffusion(), SamplerChoice{name});
    scheduler->set_timesteps(10);
    EXPECT_EQ(scheduler->timesteps().size(), calls.contains(name) ? calls.at(name) : 10) << name;
  }
  auto with_runge_kutta = stable_diffusion();
  with_runge_kutta.skip_prk_steps = false;
  auto pndm = make_scheduler(with_runge_kutta, SamplerChoice{"pndm"});
  pndm->set_timesteps(5);
  EXPECT_GT(pndm->timesteps().size(), 6U);
  auto forced = make_scheduler(with_runge_kutta, SamplerChoice{"plms"});
  forced->set_timesteps(5);
  EXPECT_EQ(forced->timesteps(), (std::vector<double>{801, 601, 601, 401, 201, 1}));
  auto plms = make_scheduler(stable_diffusion());
  plms->set_timesteps(5);
  EXPECT_EQ(plms->timesteps(), (std::vector<double>{801, 601, 601, 401, 201, 1}));
}

TEST(Scheduler, SetTimestepsForgetsTheWalkBefore) {
  const auto x = Generator(3).randn({1, 4, 4, 4});
  for (const auto& name : sampler_names()) {
    auto scheduler = make_scheduler(stable_diffusion(), SamplerChoice{name});
    scheduler->set_timesteps(8);
    const auto first = walk(*scheduler, x, 0, scheduler->timesteps().size());
    for (size_t broken_off : {1, 2, 5}) {
      scheduler->set_timesteps(6);
      walk(*scheduler, x, 0, broken_off);
      scheduler->set_timesteps(8);
      EXPECT_TRUE(walk(*scheduler, x, 0, scheduler->timesteps().size()).equal(first)) << name << broken_off;
    }
  }
}

TEST(Scheduler, CloneForksAWalk) {
  const auto x = Generator(3).randn({1, 4, 4, 4});
  for (const auto& name : sampler_names()) {
    auto scheduler = make_scheduler(stable_diffusion(), SamplerChoice{name});
    scheduler->set_timesteps(8);
    const size_t calls = scheduler->timesteps().size();
    const auto middle = walk(*scheduler, x, 0, 3);
    auto fork = scheduler->clone();
    const auto end = walk(*scheduler, middle, 3, calls);
    EXPECT_TRUE(walk(*fork, middle, 3, calls).equal(end)) << name;
  }
}

TEST(Scheduler, ComputesInF32AtLeast) {
  auto scheduler = make_scheduler(stable_diffusion());
  scheduler->set_timesteps(4);
  const auto x = Generator(3).randn({1, 4, 4, 4});
  EXPECT_EQ(scheduler->step(x.to(at::kBFloat16), 0, x.to(at::kBFloat16), {}).scalar_type(), at::kFloat);
  scheduler->set_timesteps(4);
  EXPECT_EQ(scheduler->step(x, 0, x.to(at::kDouble), {}).scalar_type(), at::kDouble);
}

TEST(Scheduler, RefusesStepsThatDoNotFit) {
  auto scheduler = make_scheduler(stable_diffusion());
  test::expect_error(ErrorKind::usage, "expected 1 to 1000, found 0", [&] { scheduler->set_timesteps(0); });
  test::expect_error(ErrorKind::usage, "expected 1 to 1000, found 1001",
                     [&] { scheduler->set_timesteps(1001); });
  scheduler->set_timesteps(1000);  // with steps_offset 1 the first timestep is 1000, beyond training
  const auto x = Generator(3).randn({1, 4, 4, 4});
  test::expect_error(ErrorKind::usage, "timestep 1000 of 1000", [&] { walk(*scheduler, x, 0, 1); });
  auto runge_kutta = make_scheduler({});
  test::expect_error(ErrorKind::usage, "needs 4 or more", [&] { runge_kutta->set_timesteps(3); });
}

TEST(Scheduler, EveryOtherSamplerCanTakeASingleStep) {
  for (const auto& name : sampler_names()) {
    auto scheduler = make_scheduler(stable_diffusion(), SamplerChoice{name});
    scheduler->set_timesteps(1);
    const auto x = walk(*scheduler, Generator(3).randn({1, 4, 4, 4}), 0, 1);
    EXPECT_TRUE(x.isfinite().all().item<bool>()) << name;
  }
}

TEST(NoiseSchedule, AddNoiseMixesBySample) {
  const NoiseSchedule schedule(stable_diffusion());
  const auto x0 = Generator(1).randn({2, 3, 4, 4}), noise = Generator(2).randn({2, 3, 4, 4});
  const auto noisy = schedule.add_noise(x0, noise, at::tensor({int64_t{0}, int64_t{999}}));
  for (int64_t b = 0; b < 2; ++b) {
    const auto alpha_bar = schedule.alphas_cumprod[b == 0 ? 0 : 999].item<double>();
    const auto expected = std::sqrt(alpha_bar) * x0[b] + std::sqrt(1 - alpha_bar) * noise[b];
    EXPECT_TRUE(noisy[b].allclose(expected, 1e-5, 1e-6));
  }
  EXPECT_NEAR(schedule.alphas_cumprod[999].item<double>(), 0.00466,
              1e-5);  // Stable Diffusion's well-known last value
  EXPECT_NEAR(schedule.sigmas[999].item<double>(), 14.6146, 1e-3);
}

}  // namespace
}  // namespace w2w
