#include "w2w/schedulers/scheduler_config.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "w2w/base/run.h"
#include "w2w/schedulers/sampler_names.h"

namespace w2w {
namespace {

TEST(SchedulerConfig, DefaultsAreThoseOfTheClass) {
  EXPECT_EQ(default_config("PNDMScheduler").timestep_spacing, "leading");
  EXPECT_FALSE(default_config("PNDMScheduler").set_alpha_to_one);
  EXPECT_TRUE(default_config("DDIMScheduler").set_alpha_to_one);
  EXPECT_TRUE(default_config("DDIMScheduler").clip_sample);
  EXPECT_EQ(default_config("EulerDiscreteScheduler").timestep_spacing, "linspace");
  EXPECT_EQ(default_config("HeunDiscreteScheduler").beta_end, 0.012);
  EXPECT_EQ(default_config("UniPCMultistepScheduler").solver_type, "bh2");
}

TEST(SchedulerConfig, FieldsAreTypedAndNulled) {
  SchedulerConfig config;
  set_field(config, "beta_start", int64_t{0});  // JSON writes 0.0 as 0 at times
  set_field(config, "beta_schedule", "scaled_linear");
  set_field(config, "steps_offset", std::monostate{});
  set_field(config, "_diffusers_version", "0.6.0");
  EXPECT_EQ(config.beta_start, 0.0);
  EXPECT_EQ(config.beta_schedule, "scaled_linear");
  EXPECT_EQ(config.given, (std::set<std::string, std::less<>>{"beta_schedule", "beta_start"}));
  test::expect_error(ErrorKind::malformed, "'beta_end': expected a number, found \"much\"",
                     [&] { set_field(config, "beta_end", "much"); });
  test::expect_error(ErrorKind::malformed, "'clip_sample': expected true or false, found 1",
                     [&] { set_field(config, "clip_sample", int64_t{1}); });
}

TEST(SchedulerConfig, UnknownFieldIsWarnedAbout) {
  std::string said;
  const w2w::Run run{{}, nullptr, [&](LogLevel, std::string_view line) { said += line; }};
  SchedulerConfig config;
  set_field(config, "sample_max_value", 1.0, run);
  EXPECT_EQ(said, "");
  set_field(config, "beta_finish", 1.0, run);
  EXPECT_NE(said.find("'beta_finish'"), std::string::npos);
}

TEST(SchedulerConfig, AnotherClassInheritsWhatWasGivenOrChanged) {
  SchedulerConfig config;  // PNDM
  EXPECT_EQ(config_for_class(config, "EulerDiscreteScheduler").timestep_spacing, "linspace");
  set_field(config, "timestep_spacing", "leading");  // PNDM's own default, but now said
  config.beta_end = 0.012;
  set_field(config, "use_karras_sigmas", true);
  const auto euler = config_for_class(config, "EulerDiscreteScheduler");
  EXPECT_EQ(euler.timestep_spacing, "leading");
  EXPECT_EQ(euler.beta_end, 0.012);
  EXPECT_TRUE(euler.use_karras_sigmas);
  EXPECT_FALSE(config_for_class(config, "EulerAncestralDiscreteScheduler").use_karras_sigmas);
}

TEST(SchedulerConfig, UnsupportedValueMattersToClassesThatReadIt) {
  SchedulerConfig config;
  set_field(config, "use_lu_lambdas", true);
  set_field(config, "thresholding", false);
  EXPECT_NE(make_scheduler(config, SamplerChoice{"euler"}), nullptr);
  test::expect_error(ErrorKind::malformed, "'use_lu_lambdas' = true is not implemented",
                     [&] { make_scheduler(config, SamplerChoice{"dpmpp_2m"}); });
}

TEST(SchedulerConfig, BadValuesAreNamed) {
  const auto refuses = [](std::string_view field, const ConfigValue& value, const std::string& text) {
    SchedulerConfig config;
    set_field(config, field, value);
    test::expect_error(ErrorKind::malformed, text, [&] { make_scheduler(config); });
  };
  refuses("num_train_timesteps", int64_t{1}, "'num_train_timesteps'");
  refuses("num_train_timesteps", int64_t{1} << 40, "'num_train_timesteps'");
  refuses("beta_end", 1.5, "'beta_end'");
  refuses("beta_schedule", "cubic", "expected linear or scaled_linear or squaredcos_cap_v2, found 'cubic'");
  refuses("timestep_spacing", "", "'timestep_spacing'");
  refuses("prediction_type", "sample", "'prediction_type'");
  refuses("steps_offset", int64_t{-1}, "'steps_offset'");
  refuses("steps_offset", int64_t{1000}, "'steps_offset'");
  refuses("trained_betas", std::vector<double>(1000, 1.5), "between 0 and 1");
  refuses("trained_betas", std::vector<double>{0.1}, "expected 1000 numbers, found 1");
}

TEST(SchedulerConfig, AmendedForStableDiffusion) {
  const auto config = amended_for_stable_diffusion(default_config("DDIMScheduler"));
  EXPECT_EQ(config.steps_offset, 1);
  EXPECT_FALSE(config.clip_sample);
  EXPECT_EQ(config_for_class(config, "EulerDiscreteScheduler").steps_offset, 1);
}

}  // namespace
}  // namespace w2w
