#include "w2w/sd/config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace w2w {
namespace {

/// 2 to the power of the levels is how many pixels a latent is wide.
TEST(Config, LevelsOfAVaeAreBounded) {
  const test::TemporaryFolder folder;
  const auto write = [&](int levels) {
    std::string list = "32";
    for (int i = 1; i < levels; ++i) list += ", 32";
    std::ofstream(folder / "config.json") << "{\"block_out_channels\": [" << list << "]}";
    return folder / "config.json";
  };
  EXPECT_EQ(read_vae_config(write(4)).down_factor(), 8);
  EXPECT_EQ(read_vae_config(write(16)).down_factor(), 32768);
  for (const int levels : {17, 70}) {
    test::expect_error(ErrorKind::malformed, "expected a list of 1 to 16 numbers",
                       [&] { read_vae_config(write(levels)); });
  }
}

}  // namespace
}  // namespace w2w
