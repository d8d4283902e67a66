#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"
#include "w2w/base/interruptible.h"
#include "w2w/base/nearest_name.h"
#include "w2w/base/progress.h"
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

TEST(Interrupt, ThrowsOnlyWhenAsked) { EXPECT_NO_THROW(check_interrupt()); }

TEST(Interruptible, GivesTheResultOrTheErrorOfTheWork) {
  EXPECT_EQ(interruptible([] { return 7; }), 7);
  test::expect_error(ErrorKind::malformed, "went wrong", [] {
    interruptible([]() -> int { throw Error(ErrorKind::malformed, "it went wrong"); });
  });
}

TEST(InterruptibleDeathTest, DoesNotWaitForTheWork) {  // a process of its own: an interrupt stays requested
  const auto interrupted = [] {
    request_interrupt();
    try {
      interruptible([] {
        std::this_thread::sleep_for(std::chrono::minutes(1));
        return 0;
      });
    } catch (const Error& error) {
      std::_Exit(static_cast<int>(error.kind()));
    }
  };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EXIT(interrupted(), testing::ExitedWithCode(130), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(50));
}

}  // namespace
}  // namespace w2w
