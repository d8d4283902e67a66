#include "w2w/engine/engine.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/threads.h"
#include "w2w/engine/inversion_run.h"
#include "w2w/engine/people.h"
#include "w2w/lora/formats.h"

namespace w2w {
namespace {

const std::filesystem::path demo = std::filesystem::path(W2W_TEST_DATA) / "../../share/w2w/demo";

Engine demo_engine(const w2w::Run& run = {}) {
  return {Checkpoint::open(demo / "model"), Space::open(demo / "space"), at::TensorOptions(at::kFloat), run};
}

TextToImageOptions quick(const std::string& prompt = "sks person") {
  TextToImageOptions options;
  options.prompt = prompt;
  options.steps = 2;
  options.seed = 5;
  return options;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An inversion of the demo's photo, watched.
struct Inverted {
  at::Tensor coefficients;
  std::vector<std::string> messages;
  int64_t reported = 0;
  bool interrupted = false;
};

Inverted invert(uint64_t seed, int64_t steps, int64_t stop_after) {
  Inverted result;
  StopFlag stop;
  w2w::Run run;
  run.stop = &stop;
  run.log = [&](LogLevel, std::string_view text) { result.messages.emplace_back(text); };
  run.progress = [&](const ProgressEvent& event) {
    result.reported = event.step;
    if (event.step == stop_after) stop.request();
  };
  auto engine = demo_engine(run);
  auto options = inversion_preset(InversionPreset::real, InversionMethod::reference);
  options.components = components_up_to(options.components, engine.space().components(), run);
  options.steps = steps;
  options.seed = seed;
  options.prompt = seed == 1 ? "(sks:1.1) person" : "(sks:1.2) person";
  Inverter inverter(engine, options, {}, {}, run);
  test::TemporaryFolder folder;
  PeopleWork work;
  work.steps = steps;
  work.tasks = {{"anna", folder / "anna_checkpoint.safetensors"}};
  work.open = [&](size_t) {
    return inverter.start({{read_image(demo / "photo.png", inverter.picture_side(false)), "photo.png"}}, run);
  };
  work.step = [](std::span<PersonRun* const> people) { static_cast<InversionRun&>(*people.front()).step(); };
  work.finish = [&](size_t, const PersonRun& person) {
    result.coefficients = static_cast<const InversionRun&>(person).person().coefficients;
  };
  try {
    run_people(work, run);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted) throw;
    result.interrupted = true;
    EXPECT_TRUE(std::filesystem::exists(folder / "anna_checkpoint.safetensors"));
  }
  return result;
}

TEST(Engine, TwoInTwoThreadsKnowNothingOfEachOther) {
  set_threads(1);  // a number of the process, not of an engine
  constexpr int64_t never = -1;
  const auto alone = invert(1, 6, never);
  ASSERT_TRUE(alone.coefficients.defined());
  Inverted kept, cancelled;
  std::thread first([&] { kept = invert(1, 6, never); });
  std::thread second([&] { cancelled = invert(2, 500, 2); });
  first.join();
  second.join();
  EXPECT_TRUE(cancelled.interrupted);
  EXPECT_EQ(cancelled.reported, 2);
  EXPECT_FALSE(kept.interrupted);
  EXPECT_TRUE(kept.coefficients.equal(alone.coefficients));
  EXPECT_EQ(kept.messages, alone.messages);
  EXPECT_EQ(kept.reported, 6);
  ASSERT_EQ(kept.messages.size(), 2U);
  EXPECT_NE(kept.messages[1].find("(sks:1.1)"), std::string::npos) << kept.messages[1];
  ASSERT_EQ(cancelled.messages.size(), 2U);
  EXPECT_NE(cancelled.messages[1].find("(sks:1.2)"), std::string::npos) << cancelled.messages[1];
}

int64_t resident_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmRSS:") continue;
    int64_t size = 0;
    status >> size;
    return size;
  }
  return 0;
}

TEST(Engine, TwoThousandPromptsLeaveMemoryFlat) {
  auto engine = demo_engine();
  const auto draw = [&](int first, int end) {
    for (int i = first; i < end; ++i) engine.model().embed("person number " + std::to_string(i));
  };
  draw(0, 200);
  const auto before = resident_kilobytes();
  draw(200, 2000);
  EXPECT_LT(resident_kilobytes() - before, 8 << 10);  // 1,800 embeddings would be 40 MB
}

TEST(Engine, DrawsAPersonWhoeverWasDrawnBefore) {
  auto engine = demo_engine();
  const auto person = [&](uint64_t seed) {
    auto options = sample_options(engine.space(), {}, {});
    options.seed = seed;
    return sample(engine.space(), options);
  };
  const auto seven = engine.lora(person(7)), eight = engine.lora(person(8));
  const auto first = engine.draw(seven, quick());
  EXPECT_EQ(first.options.width, 64);
  EXPECT_EQ(first.model, "model");
  EXPECT_FALSE(engine.draw(eight, quick()).pixels.equal(first.pixels));
  EXPECT_TRUE(engine.draw(seven, quick()).pixels.equal(first.pixels));
}

TEST(Engine, WithoutASpaceItKnowsLorasAlone) {
  Engine engine(Checkpoint::open(demo / "model"), {}, at::TensorOptions(at::kFloat));
  EXPECT_EQ(engine.draw(Lora(), quick()).pixels.size(2), 3);
  test::expect_error(ErrorKind::failure, "without a space", [&] { engine.lora(Identity()); });
}

TEST(PersonFile, FromBytesAsFromAFile) {
  test::TemporaryFolder folder;
  auto engine = demo_engine();
  auto options = sample_options(engine.space(), {}, {});
  options.seed = 7;
  const auto person = sample(engine.space(), options);
  write_identity(folder / "anna.safetensors", person);
  write_identity(folder / "anna.pt", person);
  write_kohya(folder / "anna_lora.safetensors", engine.lora(person), {});
  for (const char* name : {"anna.safetensors", "anna.pt", "anna_lora.safetensors"}) {
    SCOPED_TRACE(name);
    const auto from_bytes = open_person(read(folder / name), std::string("uploads/") + name);
    const auto from_file = open_person((folder / name).string());
    EXPECT_EQ(from_bytes.person(), "anna");
    ASSERT_EQ(from_bytes.coefficients.has_value(), from_file.coefficients.has_value());
    if (from_file.coefficients) {
      EXPECT_TRUE(from_bytes.coefficients->coefficients.equal(from_file.coefficients->coefficients));
    }
    EXPECT_TRUE(engine.draw(engine.lora(from_bytes), quick())
                    .pixels.equal(engine.draw(engine.lora(from_file), quick()).pixels));
  }
}

TEST(PersonFile, ManyPeopleInOneFile) {
  test::TemporaryFolder folder;
  const auto space = Space::open(demo / "space");
  auto options = sample_options(space, {}, {});
  options.seed = 7;
  write_people_matrix(folder / "people.safetensors", sample_matrix(space, options, 3));
  const auto file = (folder / "people.safetensors").string();
  const auto everybody = open_people(std::vector{file, file + ":1"});
  ASSERT_EQ(everybody.size(), 4);
  for (size_t i = 0; i < 3; ++i) {
    options.seed = 7 + i;
    const auto person = sample(space, options);
    EXPECT_EQ(everybody[i].stem, "person-" + std::to_string(7 + i));
    EXPECT_EQ(everybody[i].path, file + ":person-" + std::to_string(7 + i));
    EXPECT_TRUE(everybody[i].coefficients->coefficients.equal(person.coefficients));
    EXPECT_EQ(everybody[i].coefficients->history, person.history);
    EXPECT_EQ(everybody[i].coefficients->space_hash, person.space_hash);
    EXPECT_EQ(open_person(everybody[i].path).coefficients->history, person.history);
  }
  EXPECT_EQ(everybody[3].stem, "person-8");
  test::expect_error(ErrorKind::usage, "expected one person, found 3", [&] { open_person(file); });
  test::expect_error(ErrorKind::not_found, "no such identity", [&] { open_person(file + "x:1"); });
  EXPECT_EQ(open_coefficients(folder.path().string()).size(), 3);
}

}  // namespace
}  // namespace w2w
