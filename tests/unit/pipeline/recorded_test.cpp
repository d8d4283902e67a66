// Drawing, inversion and training as a device does them, recorded once and repeated, against the CPU's own
// way, on the demo world: with ATen's operators, and in unit.cuda with those of the plug-in.

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#ifdef W2W_HOST_PLUGIN
#include "cuda/host/plugin.h"
using Device = w2w::test::HostPlugin;
#else
#include "support/host_accelerator.h"
using Device = w2w::test::HostAccelerator;
#endif
#include "w2w/pipeline/dreambooth.h"
#include "w2w/pipeline/inversion.h"

namespace w2w {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

const std::filesystem::path demo = W2W_TEST_DATA "/../../share/w2w/demo";

/// The demo world's model and space.
struct World {
  explicit World(at::ScalarType dtype = at::kFloat) : model(Checkpoint::open(demo / "model"), dtype) {}

  TextToImage model;
  Space space = Space::open(demo / "space", &model.linear_layers());

  Lora person(int64_t row) const { return space.lora(space.data().projections[row].to(at::kFloat)); }
};

TextToImageOptions picture(const std::string& sampler = {}, double cfg_scale = 3) {
  TextToImageOptions options;
  options.steps = 4;
  options.seed = 5;
  options.cfg_scale = cfg_scale;
  if (!sampler.empty()) options.sampler = parse_sampler(sampler);
  return options;
}

double difference(const Tensor& a, const Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

/// run(null) on the CPU's own way against run(device): || found - expected || <= bound || expected ||, each.
template <class Run>
void expect_same(Run run, double bound) {
  const Tensors expected = run(nullptr);
  Device device;
  const Tensors found = run(&device);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_LE(difference(found[i], expected[i]), bound) << i;
}

TEST(Recorded, PeopleChangeBeneathOneRecording) {
  expect_same(
      [](Device* device) {
        World world;
        Tensors latents;
        for (const int64_t row : {3, 17, -1}) {
          world.model.set_person(row < 0 ? Lora() : world.person(row));
          latents.push_back(world.model.denoise(picture()));
        }
        if (device) {
          EXPECT_EQ(device->recordings(), 1);
          EXPECT_EQ(device->replays(), world.model.unet_calls());
        }
        return latents;
      },
      1e-5);
}

TEST(Recorded, PromptsGuidanceSizesAndSamplers) {
  expect_same(
      [](Device*) {
        World world;
        world.model.set_person(world.person(3));
        Tensors latents;
        for (const char* sampler : {"pndm", "lms", "euler_a", "heun", "unipc"}) {
          latents.push_back(world.model.denoise(picture(sampler)));
        }
        auto options = picture("lms", 1);  // no guidance, and outputs are kept for later steps
        latents.push_back(world.model.denoise(options));
        options.prompt = "sks person on the beach";
        latents.push_back(world.model.denoise(options));
        options.width = 72, options.height = 40;
        latents.push_back(world.model.denoise(options));
        options.cfg_scale = 2;
        latents.push_back(world.model.denoise(options));
        options.cfg_scale = 5;
        latents.push_back(world.model.denoise(options));
        return latents;
      },
      1e-5);
}

TEST(Recorded, APersonChangesWithinAPicture) {
  expect_same(
      [](Device*) {
        World world;
        world.model.set_person(world.person(3));
        auto start = world.model.start(picture());
        world.model.advance(start, 2);
        Tensors latents;
        for (const int64_t row : {3, 17}) {
          world.model.set_person(world.person(row));
          auto end = start.fork();
          world.model.advance(end, end.steps());
          latents.push_back(end.latents);
        }
        return latents;
      },
      1e-5);
}

TEST(Recorded, SeveralPeopleSideBySide) {
  expect_same(
      [](Device* device) {
        World world;
        Tensors pictures;
        for (const int64_t first : {0, 20}) {
          Tensors thetas;
          for (int64_t row = first; row < first + 3; ++row) {
            thetas.push_back(world.space.theta(world.space.data().projections[row].to(at::kFloat)));
          }
          for (const auto& one :
               world.model.run_together(at::stack(thetas), world.space.layout(), picture())) {
            pictures.push_back(one.to(at::kFloat));
          }
        }
        if (device) {
          EXPECT_EQ(device->recordings(), 1);
        }
        return pictures;
      },
      1e-3);  // of 255, which roundings may cross
}

InversionPicture stripes() { return {at::linspace(-1, 1, 64).expand({3, 64, 64}).contiguous(), {}}; }

InversionOptions inversion_options(bool whitened) {
  InversionOptions options;
  options.components = 20;
  options.steps = 5;
  options.batch = 2;
  options.accumulate = 2;
  options.whitened = options.cosine = whitened;
  options.learning_rate = whitened ? 0.05 : 0.1;
  return options;
}

InversionState all_steps(Inversion& inversion) {
  InversionWalk walk(inversion, {stripes()}, inversion.initial_state());
  while (!walk.is_finished()) walk.step();
  return walk.state();
}

TEST(Recorded, Inversion) {
  for (const bool whitened : {false, true}) {
    expect_same(
        [&](Device* device) -> Tensors {
          World world;
          Inversion inversion(world.model, world.space, inversion_options(whitened));
          const auto state = all_steps(inversion);
          if (device) {
            EXPECT_EQ(device->recordings(), 1);
            EXPECT_EQ(device->replays(), 5);
          }
          return {inversion.coefficients(state), at::tensor(state.losses, at::kDouble)};
        },
        1e-4);
  }
}

TEST(Recorded, InversionThatDrawsBetweenItsSteps) {
  expect_same(
      [](Device*) -> Tensors {
        World world;
        Inversion inversion(world.model, world.space, inversion_options(false));
        Tensors seen;
        InversionWalk walk(inversion, {stripes()}, inversion.initial_state());
        while (!walk.is_finished()) {
          walk.step();
          world.model.set_person(world.space.lora(inversion.coefficients(walk.state())));
          seen.push_back(world.model.denoise(picture()));
        }
        seen.push_back(inversion.coefficients(walk.state()));
        return seen;
      },
      1e-4);
}

Tensors train(World& world, const std::vector<std::string>& targets) {
  DreamboothOptions options;
  options.targets = targets;
  options.learning_rate = 1e-2;
  options.prior_weight = 0;
  Dreambooth trainer(world.model, options);
  std::vector<Trainee> people(2);
  for (size_t i = 0; i < people.size(); ++i) {
    const auto ramp = at::linspace(i == 0 ? -1 : 1, 0, 64).expand({3, 64, 64}).contiguous();
    people[i] = {{trainer.encode(ramp, "sks person")}, trainer.initial_state()};
  }
  for (int step = 0; step < 4; ++step) trainer.step({&people[0], &people[1]});
  return {people[0].state.theta, people[1].state.theta};
}

TEST(Recorded, TrainingOfTwoPeople) {
  for (const auto& targets :
       {std::vector<std::string>{"to_q", "to_v"}, {"time_emb_proj", "to_k", "to_out.0"}}) {
    expect_same(
        [&](Device* device) {
          World world;
          const auto trained = train(world, targets);
          if (device) {
            EXPECT_EQ(device->recordings(), 1);
          }
          return trained;
        },
        1e-4);
  }
}

/// In bf16 beside f32 on the CPU: no operator meets another type than it takes, and little is lost. (In f16
/// the demo world's weights would stay in their file, where no person can be written into them.)
TEST(Recorded, Bfloat16) {
  const auto world_of = [](Device* device) { return World(device ? at::kBFloat16 : at::kFloat); };
  expect_same(
      [&](Device* device) -> Tensors {
        auto world = world_of(device);
        world.model.set_person(world.person(3));
        return {world.model.denoise(picture()).to(at::kFloat)};
      },
      0.1);
  expect_same(
      [&](Device* device) -> Tensors {
        auto world = world_of(device);
        Inversion inversion(world.model, world.space, inversion_options(false));
        return {inversion.coefficients(all_steps(inversion)).to(at::kFloat)};
      },
      0.1);
  expect_same(
      [&](Device* device) {
        auto world = world_of(device);
        return train(world, {"to_q", "to_v", "time_emb_proj"});
      },
      0.1);
}

}  // namespace
}  // namespace w2w
