#include "w2w/schedulers/sampler_names.h"

#include <gtest/gtest.h>

#include <map>

#include "support/expect_error.h"

namespace w2w {
namespace {

const std::map<std::string, std::vector<std::string>> spellings = {
    {"pndm", {"pndm", "PNDM", "PNDMScheduler"}},
    {"plms", {"PLMS", "plms", "k_plms"}},
    {"ddim", {"ddim", "DDIM", "DDIMScheduler"}},
    {"euler", {"euler", "Euler", "k_euler", "EulerDiscreteScheduler", "EulerDiscrete"}},
    {"euler_ancestral",
     {"Euler a", "euler_a", "EULER-A", "euler ancestral", "euler_ancestral", "k_euler_a", "k_euler_ancestral",
      "EulerAncestralDiscreteScheduler"}},
    {"heun", {"heun", "Heun", "k_heun", "HeunDiscreteScheduler"}},
    {"lms", {"lms", "LMS", "k_lms", "LMSDiscreteScheduler"}},
    {"dpmpp_2m",
     {"DPM++ 2M", "dpm++2m", "dpmpp_2m", "dpmpp2m", "k_dpmpp_2m", "dpmsolver++",
      "DPMSolverMultistepScheduler", "DPMSolverMultistep"}},
    {"unipc", {"UniPC", "uni_pc", "unipc", "uni_pc_bh2", "UniPCMultistepScheduler"}},
};

TEST(SamplerNames, EverySpelling) {
  for (const auto& [name, texts] : spellings) {
    for (const auto& text : texts) EXPECT_EQ(parse_sampler(text), (SamplerChoice{name, false})) << text;
  }
}

TEST(SamplerNames, EveryCanonicalNameIsSpeltAndMade) {
  EXPECT_EQ(sampler_names().size(), spellings.size());
  for (const auto& name : sampler_names()) {
    EXPECT_TRUE(spellings.contains(name)) << name;
    EXPECT_EQ(parse_sampler(name).sampler, name);
    EXPECT_NE(make_scheduler({}, SamplerChoice{name}), nullptr);
  }
}

TEST(SamplerNames, KarrasInTheNameOrTheSchedule) {
  const SamplerChoice expected{"dpmpp_2m", true};
  EXPECT_EQ(parse_sampler("DPM++ 2M Karras"), expected);
  EXPECT_EQ(parse_sampler("dpmpp_2m", "karras"), expected);
  EXPECT_EQ(parse_sampler("dpmpp_2m_karras", "Automatic"), expected);
  EXPECT_EQ(parse_sampler("", "Karras"), (SamplerChoice{"", true}));
  for (const char* name : {"pndm", "ddim", "Euler a"}) {
    test::expect_error(ErrorKind::usage, "has no Karras schedule", [&] { parse_sampler(name, "karras"); });
  }
}

std::string hint_of(std::string_view sampler, std::string_view schedule = {}) {
  try {
    parse_sampler(sampler, schedule);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 2);
    return error.hint();
  }
  return "no error";
}

TEST(SamplerNames, UnknownNameOffersTheNearest) {
  test::expect_error(ErrorKind::usage, "unknown sampler 'eular'", [] { parse_sampler("eular"); });
  EXPECT_EQ(hint_of("eular"), "did you mean 'euler'?");
  EXPECT_EQ(hint_of("dpm++ 3m"), "did you mean 'dpm++ 2m'?");
  EXPECT_TRUE(hint_of("restart").starts_with("one of: pndm, plms, ddim, euler")) << hint_of("restart");
  EXPECT_TRUE(hint_of("--").starts_with("one of: ")) << hint_of("--");
  EXPECT_EQ(hint_of("euler", "karas"), "did you mean 'karras'?");
  test::expect_error(ErrorKind::usage, "unknown sampler 'plms2'",
                     [] { make_scheduler({}, SamplerChoice{"plms2"}); });
}

TEST(MakeScheduler, KeepsTheModelsOwnClassUnlessOneIsChosen) {
  auto config = default_config("HeunDiscreteScheduler");
  EXPECT_EQ(make_scheduler(config)->config().class_name, "HeunDiscreteScheduler");
  EXPECT_TRUE(make_scheduler(config, SamplerChoice{"", true})->config().use_karras_sigmas);
  EXPECT_EQ(make_scheduler(config, SamplerChoice{"ddim"})->config().class_name, "DDIMScheduler");
}

TEST(MakeScheduler, ForeignClassOnlyWithAChoice) {
  auto config = default_config("DEISMultistepScheduler");
  set_field(config, "beta_end", 0.012);
  test::expect_error(ErrorKind::malformed, "'DEISMultistepScheduler' is not implemented",
                     [&] { make_scheduler(config); });
  EXPECT_EQ(make_scheduler(config, SamplerChoice{"euler"})->config().beta_end, 0.012);
}

}  // namespace
}  // namespace w2w
