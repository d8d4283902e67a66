#include "w2w/space/identity.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"
#include "w2w/io/tensor_file.h"
#include "w2w/space/sampling.h"

namespace w2w {
namespace {

Space small_space(double first_mean = 0) {
  SpaceData data;
  data.mean = at::full({6}, first_mean);
  data.std = at::ones({6});
  data.components = Generator(1).randn({4, 6});
  data.projection_mean = Generator(2).randn({4});
  data.projection_std = Generator(3).rand({4});
  return {data, "folder"};
}

TEST(Identity, KeepsEverythingInSafetensors) {
  test::TemporaryFolder folder;
  const Identity identity{Generator(1).randn({5}), "abc", "demo", R"([{"command": "sample"}])", "sks dog"};
  write_identity(folder / "a.safetensors", identity);
  write_identity(folder / "b.safetensors", identity);
  EXPECT_EQ(test::read_bytes(folder / "a.safetensors"), test::read_bytes(folder / "b.safetensors"));
  EXPECT_TRUE(is_identity(folder / "a.safetensors"));
  const auto read = read_identity(folder / "a.safetensors");
  EXPECT_TRUE(read.coefficients.equal(identity.coefficients));
  EXPECT_EQ(read.space_hash, "abc");
  EXPECT_EQ(read.model, "demo");
  EXPECT_EQ(read.history, identity.history);
  EXPECT_EQ(read.trigger, "sks dog");
  EXPECT_EQ(read_safetensors(folder / "a.safetensors").metadata.at("w2w.format"), "1");
}

TEST(Identity, ReadsTheReferencesFileAndFolder) {
  test::TemporaryFolder folder;
  const Identity identity{Generator(1).randn({5}), "", "", "[]", "sks person"};
  write_identity(folder / "w2wmodel.pt", identity);
  for (const auto& path : {folder / "w2wmodel.pt", folder.path()}) {
    EXPECT_TRUE(is_identity(path));
    const auto read = read_identity(path);
    EXPECT_TRUE(read.coefficients.equal(identity.coefficients));
    EXPECT_EQ(read.space_hash, "");
    EXPECT_EQ(read.trigger, "sks person");
  }
}

TEST(Identity, MalformedFiles) {
  test::TemporaryFolder folder;
  struct Row {
    TensorMap tensors;
    Metadata metadata;
    const char* message;
  };
  const Row table[] = {
      {{{"a", at::ones({3})}, {"b", at::ones({3})}}, {}, "expected a tensor 'coefficients', found 'a', 'b'"},
      {{{"coefficients", at::ones({2, 3})}}, {}, "expected coefficients [k]"},
      {{{"coefficients", at::ones({0})}}, {}, "expected coefficients [k]"},
      {{{"coefficients", at::ones({})}}, {}, "expected coefficients [k]"},
      {{{"coefficients", at::ones({3}, at::kLong)}}, {}, "expected coefficients [k]"},
      {{{"coefficients", at::full({3}, INFINITY)}}, {}, "not all finite"},
      {{{"coefficients", at::ones({3})}}, {{"w2w.format", "2"}}, "has format 2, this w2w reads format 1"},
  };
  for (const auto& row : table) {
    write_safetensors(folder / "x", row.tensors, row.metadata);
    test::expect_error(ErrorKind::malformed, row.message, [&] { read_identity(folder / "x"); });
  }
  write_file(folder / "text", "hello");
  test::expect_error(ErrorKind::malformed, "text", [&] { read_identity(folder / "text"); });
  EXPECT_FALSE(is_identity(folder / "text"));
  test::expect_error(ErrorKind::not_found, "no such identity", [&] { read_identity(folder / "none"); });
  test::expect_error(ErrorKind::not_found, "expected w2wmodel.pt", [&] { read_identity(folder.path()); });
  EXPECT_FALSE(is_identity(folder.path()));
}

TEST(Identity, FitsItsSpaceOnly) {
  const auto space = small_space(), other = small_space(1);
  EXPECT_NO_THROW(check_identity_fits({at::ones({3}), space.hash(), "", "[]", ""}, space, "a"));
  EXPECT_NO_THROW(check_identity_fits({at::ones({4}), "", "", "[]", ""}, space, "a"));
  test::expect_error(
      ErrorKind::failure,
      "identity (a) belongs to another space: expected at most 4 coefficients, as in folder, found 5", [&] {
        check_identity_fits({at::ones({5}), "", "", "[]", ""}, space, "a");
      });
  test::expect_error(
      ErrorKind::failure,
      "expected space " + space.hash().substr(0, 16) + ", as in folder, found " + other.hash().substr(0, 16),
      [&] {
        check_identity_fits({at::ones({4}), other.hash(), "", "[]", ""}, space, "a");
      });
}

/// Spaces of the same models: one hash, but components that were found in another way.
TEST(Identity, FitsTheBasisItWasFoundIn) {
  const auto built = [](const char* build) {
    SpaceData data = small_space().data();
    data.build = build;
    return Space(data, "folder");
  };
  const auto exact = built(R"({"method": "exact", "explained": 0.9})");
  const auto random = built(R"({"method": "randomized", "oversample": 4.0, "passes": 8, "seed": 1})");
  const auto other = built(R"({"method": "randomized", "oversample": 4.0, "passes": 8, "seed": 2})");
  const auto unknown = small_space();
  EXPECT_EQ(exact.hash(), random.hash());
  EXPECT_EQ(exact.basis(), "exact");
  EXPECT_EQ(random.basis(), "randomized, oversample 4.0, passes 8, seed 1");
  EXPECT_EQ(unknown.basis(), "");
  test::TemporaryFolder folder;
  const auto person_of = [&](const Space& space) {
    write_identity(folder / "a.safetensors", draw_identity(space, 3, 1, 5));
    return read_identity(folder / "a.safetensors");
  };
  EXPECT_EQ(person_of(random).basis, random.basis());
  test::expect_error(ErrorKind::failure,
                     "identity (a) belongs to another space of the same models: expected components found by "
                     "exact, as in folder, found randomized, oversample 4.0, passes 8, seed 1",
                     [&] { check_identity_fits(person_of(random), exact, "a"); });
  test::expect_error(ErrorKind::failure, "another space of the same models",
                     [&] { check_identity_fits(person_of(random), other, "a"); });
  for (const auto* space : {&exact, &random, &unknown}) {
    EXPECT_NO_THROW(check_identity_fits(person_of(*space), *space, "a"));
    EXPECT_NO_THROW(check_identity_fits(person_of(unknown), *space, "a"));  // of an older version
    EXPECT_NO_THROW(check_identity_fits(person_of(*space), unknown, "a"));  // a release, for example
  }
}

TEST(Identity, IsNotWrittenUnlessItIsFinite) {
  test::TemporaryFolder folder;
  for (const auto* name : {"a.safetensors", "a.pt"}) {
    test::expect_error(ErrorKind::failure, "coefficients that are not finite", [&] {
      write_identity(folder / name, {at::full({3}, NAN), "", "", "[]", ""});
    });
    EXPECT_FALSE(std::filesystem::exists(folder / name));
  }
}

TEST(DrawIdentity, FollowsTheContract) {
  const auto space = small_space();
  const auto& statistics = space.projection_statistics();
  const auto drawn = draw_identity(space, 3, 0.5, 11);
  const auto z = Generator(11).randn({3});
  EXPECT_TRUE(
      drawn.coefficients.equal(statistics.mean.narrow(0, 0, 3) + statistics.std.narrow(0, 0, 3) * 0.5 * z));
  EXPECT_EQ(drawn.space_hash, space.hash());
  EXPECT_TRUE(draw_identity(space, 4, 0, 1).coefficients.equal(statistics.mean));
  for (const int64_t k : {0, 5}) {
    test::expect_error(ErrorKind::usage, "expected 1 to 4 components to draw",
                       [&] { draw_identity(space, k, 1, 1); });
  }
}

TEST(DrawIdentity, NeedsStatistics) {
  auto data = small_space().data();
  data.projection_mean = data.projection_std = at::Tensor();
  test::expect_error(ErrorKind::failure, "no projections of its training models",
                     [&] { draw_identity(Space(data, "folder"), 2, 1, 1); });
}

}  // namespace
}  // namespace w2w
