#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"
#include "w2w/base/interruptible.h"
#include "w2w/base/nearest_name.h"
#include "w2w/base/run.h"
#include "w2w/base/sha256.h"

namespace w2w {
namespace {

TEST(NearestName, OffersLikelyMisspellingsOnly) {
  EXPECT_EQ(nearest_name("smaple", {"sample", "render"}), "sample");
  EXPECT_EQ(nearest_name("DDIN", {"ddim", "pndm"}), "ddim");
  EXPECT_EQ(nearest_name("zebra", {"sample", "render"}), std::nullopt);
  EXPECT_EQ(suggest("zebra", {"a1", "b2", "c3"}, 2), "one of: a1, b2, ...");
}

TEST(Sha256, KnownAnswer) {  // FIPS 180-2, "abc"
  EXPECT_EQ(Sha256().update("abc", 3).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(AtomicFile, AppearsOnlyWithCommit) {
  test::TemporaryFolder folder;
  {
    AtomicFile file(folder / "a");
    file.write("half");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  write_file(folder / "a", "whole");
  EXPECT_EQ(test::read_bytes(folder / "a"), "whole");
  test::expect_error(ErrorKind::failure, "cannot write", [&] { write_file(folder / "no" / "where", "x"); });
}

TEST(Generator, StateContinuesTheStream) {
  Generator first(7);
  first.randn({20});
  Generator second(0);
  second.set_state(first.state());
  EXPECT_TRUE(first.randn({33}).equal(second.randn({33})));
  EXPECT_EQ(first.randint(0, 1000), second.randint(0, 1000));
}

TEST(Generator, PhiloxMatchesPublishedCudaValues) {  // torch.randn(4, device="cuda") after manual_seed(0)
  const auto values = NoiseStream(0, NoiseSource::cuda).randn({4});
  const float expected[] = {-0.92466259F, -0.42534415F, -2.6438458F, 0.14518388F};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(values[i].item<float>(), expected[i], 1e-6F);
}

TEST(Run, StopsOnlyTheWorkThatWasAskedTo) {
  StopFlag mine, others;
  const w2w::Run run{{}, &mine, {}}, other{{}, &others, {}};
  run.check_stop();
  mine.request();
  test::expect_error(ErrorKind::interrupted, "interrupted", [&] { run.check_stop(); });
  other.check_stop();
  w2w::Run().check_stop();
}

TEST(Run, TellsItsOwnCaller) {
  std::string mine, others;
  const auto into = [](std::string& text) {
    return [&text](LogLevel, std::string_view line) { text += line; };
  };
  const w2w::Run run{{}, nullptr, into(mine)}, other{{}, nullptr, into(others)};
  run.warn("a");
  other.notice("b");
  run.with_progress({}).debug("c");
  w2w::Run().warn("d");
  EXPECT_EQ(mine, "ac");
  EXPECT_EQ(others, "b");
}

TEST(Interruptible, GivesTheResultOrTheErrorOfTheWork) {
  EXPECT_EQ(interruptible({}, [] { return 7; }), 7);
  test::expect_error(ErrorKind::malformed, "went wrong", [] {
    interruptible({}, []() -> int { throw Error(ErrorKind::malformed, "it went wrong"); });
  });
}

TEST(Interruptible, DoesNotWaitForTheWork) {
  StopFlag stop;
  stop.request();
  const auto start = std::chrono::steady_clock::now();
  test::expect_error(ErrorKind::interrupted, "interrupted", [&] {
    interruptible({{}, &stop, {}}, [] {
      std::this_thread::sleep_for(std::chrono::seconds(2));
      return 0;
    });
  });
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

}  // namespace
}  // namespace w2w
