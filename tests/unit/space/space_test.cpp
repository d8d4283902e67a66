#include "w2w/space/space.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"
#include "w2w/base/sha256.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/algebra.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

const Targets targets = {{"down.attn1.to_q", 4, 4}, {"down.attn2.to_v", 6, 4}, {"mid.attn1.to_q", 5, 5}};
constexpr int64_t parameters = 28;

SpaceData small_space(int64_t components = 7, int64_t models = 9) {
  Generator random(3);
  SpaceData data;
  data.base_model = "tiny";
  data.layout = Layout(targets);
  data.mean = random.randn({parameters});
  data.std = random.rand({parameters}) + 0.5;
  data.components = random.randn({components, parameters});
  data.projections = random.randn({models, components});
  data.models = models;
  for (int64_t i = 0; i < models; ++i) data.names.push_back("person_" + std::to_string(i));
  data.defaults.cfg_scale = 4.5;
  data.defaults.width = 64;
  return data;
}

at::Tensor exact_theta(const SpaceData& data, const at::Tensor& c) {
  const auto used = data.components.narrow(0, 0, c.numel()).to(at::kDouble);
  return at::mv(used.t(), c.to(at::kDouble)) * data.std.to(at::kDouble) + data.mean.to(at::kDouble);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

void write_released(const fs::path& folder, const SpaceData& data) {
  write_torch_tensor(folder / "V.pt", data.components.t().contiguous());
  write_torch_tensor(folder / "mean.pt", data.mean);
  write_torch_tensor(folder / "std.pt", data.std);
  write_torch_tensor(folder / "proj_7pc.pt", data.projections);
}

TEST(Layout, CutsAndJoins) {
  const Layout layout(targets);
  ASSERT_EQ(layout.parameters(), parameters);
  const auto theta = Generator(1).randn({parameters});
  const auto lora = layout.factors(theta);
  ASSERT_EQ(lora.size(), 3U);
  const auto& second = lora.at("down.attn2.to_v");
  EXPECT_TRUE(second.down.equal(theta.narrow(0, 8, 6).view({1, 6})));
  EXPECT_TRUE(second.up.equal(theta.narrow(0, 14, 4).view({4, 1})));
  EXPECT_EQ(second.scale, 27);
  EXPECT_TRUE(second.down.is_alias_of(theta));
  EXPECT_TRUE(layout.flatten(lora).equal(theta));
  EXPECT_LT(distance(layout.flatten(folded(lora)), theta), 1e-6);  // 27 in the file, 1 in the space
}

TEST(Layout, OfHigherRank) {
  const Layout layout(targets, 2, 8);
  const auto theta = Generator(1).randn({2 * parameters});
  EXPECT_EQ(layout.factors(theta).at("down.attn2.to_v").up.sizes(), (std::vector<int64_t>{4, 2}));
  EXPECT_EQ(layout.scale(), 4);
  EXPECT_TRUE(layout.flatten(layout.factors(theta)).equal(theta));
}

TEST(Layout, RefusesWhatDoesNotFit) {
  const Layout layout(targets);
  const auto lora = layout.factors(at::ones({parameters}));
  const auto expect_failure = [&](const std::string& text, const Lora& changed) {
    test::expect_error(ErrorKind::failure, text, [&] { layout.flatten(changed); });
  };
  auto changed = lora;
  changed.erase("mid.attn1.to_q");
  expect_failure("the LoRA does not change mid.attn1.to_q, which is part of the space", changed);
  changed = lora;
  changed["up.attn1.to_q"] = lora.at("mid.attn1.to_q");
  expect_failure("the LoRA changes up.attn1.to_q, which is not part of the space", changed);
  changed = lora;
  changed["mid.attn1.to_q"].down = at::ones({2, 5});
  expect_failure("mid.attn1.to_q: expected factors [1, 5] and [5, 1], found [2, 5] and [5, 1]", changed);
  test::expect_error(ErrorKind::failure, "expected a weight vector of 28 values, found [27]",
                     [&] { layout.factors(at::ones({27})); });
  test::expect_error(ErrorKind::malformed, "alphabetical order, found a after b", [] {
    Layout({{"b", 1, 1}, {"a", 1, 1}});
  });
  test::expect_error(ErrorKind::malformed, "alphabetical order", [] { Layout({{"a", 1, 1}, {"a", 1, 1}}); });
  test::expect_error(ErrorKind::malformed, "needs modules", [] { Layout({}); });
}

TEST(Space, ThetaInEveryStorage) {
  for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    for (const bool released : {false, true}) {
      auto data = small_space();
      data.components = data.components.to(dtype);
      if (released) data.components = data.components.t().contiguous().t();
      const Space space(data, "here");
      for (const int64_t k : {1, 3, 7}) {
        const auto c = Generator(5).randn({k});
        EXPECT_LT(distance(space.theta(c), exact_theta(data, c)), 1e-5);
      }
    }
  }
}

TEST(Space, ScoresInEveryStorage) {
  for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    for (const bool released : {false, true}) {
      auto data = small_space();
      data.components = data.components.to(dtype);
      if (released) data.components = data.components.t().contiguous().t();
      const Space space(data, "here");
      const auto x = Generator(5).randn({parameters});
      for (const int64_t k : {1, 3, 7}) {
        const auto used = data.components.narrow(0, 0, k).to(at::kDouble);
        EXPECT_LT(distance(space.scores(x, k), at::mv(used, x.to(at::kDouble))), 1e-5);
      }
    }
  }
}

TEST(Space, ThetaOverSeveralBlocks) {  // 300 rows of 28 kB: more than one 8 MB block
  constexpr int64_t wide = 7000;
  Generator random(2);
  SpaceData data;
  data.mean = random.randn({wide});
  data.std = random.rand({wide});
  const auto c = random.randn({700});
  const auto rows = random.randn({700, wide}).to(at::kBFloat16);
  for (const auto& components : {rows, rows.t().contiguous().t()}) {
    data.components = components;
    EXPECT_LT(distance(Space(data, "here").theta(c), exact_theta(data, c)),
              2e-4);  // sums of 700 terms near 100
    const auto exact = at::mv(components.to(at::kDouble), data.mean.to(at::kDouble));
    EXPECT_LT(distance(Space(data, "here").scores(data.mean, 700), exact),
              1e-3);  // sums of 7,000 terms near 100, rows of V.pt added one by one
  }
}

TEST(Space, ThetaOfAMappedReleaseIsTheSameAgain) {  // its pages are released after use
  test::TemporaryFolder folder;
  Generator random(2);
  SpaceData data;
  data.mean = random.randn({7000});
  data.std = random.rand({7000});
  data.components = random.randn({400, 7000});
  data.projections = random.randn({3, 7});
  write_released(folder.path(), data);
  const auto space = Space::open(folder.path());
  const auto c = random.randn({300});
  const auto first = space.theta(c);
  EXPECT_LT(distance(first, exact_theta(data, c)), 2e-4);
  EXPECT_TRUE(space.theta(c).equal(first));
}

TEST(Space, RefusesComponentsItDoesNotHave) {
  const Space space(small_space(), "folder");
  for (const int64_t k : {0, 8, -1}) {
    test::expect_error(
        ErrorKind::usage,
        "expected 1 to 7 components, as many as the space (folder) has, found " + std::to_string(k),
        [&] { space.components(k); });
  }
  test::expect_error(ErrorKind::usage, "found 8", [&] { space.theta(at::ones({8})); });
}

TEST(Space, WritesAndOpensTheCompactForm) {
  test::TemporaryFolder folder;
  const auto data = small_space();
  write_space(folder / "space", data, at::kFloat);
  const auto space = Space::open(folder / "space", &targets);
  EXPECT_EQ(space.parameters(), parameters);
  EXPECT_EQ(space.components(), 7);
  EXPECT_EQ(space.data().base_model, "tiny");
  EXPECT_EQ(space.data().names, data.names);
  EXPECT_EQ(space.data().models, 9);
  EXPECT_EQ(space.data().defaults.cfg_scale, 4.5);
  EXPECT_EQ(space.data().defaults.width, 64);
  EXPECT_EQ(space.layout().targets(), targets);
  EXPECT_TRUE(space.components(7).equal(data.components));
  EXPECT_TRUE(space.data().projections.equal(data.projections));
  EXPECT_LT(distance(space.projection_statistics().mean, data.projections.mean(0)), 1e-6);
  const auto std = data.projections.to(at::kDouble).std(0, /*unbiased=*/true);
  EXPECT_LT(distance(space.projection_statistics().std, std), 1e-6);
  write_space(folder / "again", space.data(), at::kFloat);
  for (const char* name : {"space.json", "basis.safetensors", "projections.safetensors"}) {
    EXPECT_EQ(test::read_bytes(folder / "space" / name), test::read_bytes(folder / "again" / name)) << name;
  }
}

TEST(Space, ReleasedAndCompactFormsAgree) {
  test::TemporaryFolder folder;
  const auto data = small_space();
  fs::create_directories(folder / "files");
  write_released(folder / "files", data);
  write_space(folder / "compact", data, at::kFloat);
  const auto compact = Space::open(folder / "compact");
  for (const auto& path : {folder / "files", folder.path()}) {
    const auto released = Space::open(path, &targets);
    EXPECT_EQ(released.hash(), compact.hash());
    const auto c = Generator(5).randn({5});
    EXPECT_LT(distance(released.theta(c), compact.theta(c)), 1e-6);
    EXPECT_EQ(released.data().models, 9);
    EXPECT_LT(distance(released.projection_statistics().std, compact.projection_statistics().std), 1e-6);
  }
  test::expect_error(ErrorKind::failure, "does not list its modules",
                     [&] { Space::open(folder / "files").layout(); });
}

TEST(Space, HashIsOverMeanThenStd) {
  const auto data = small_space();
  Sha256 hash;
  hash.update(data.mean.data_ptr(), parameters * 4).update(data.std.data_ptr(), parameters * 4);
  EXPECT_EQ(Space(data, "here").hash(), hash.hex());
}

TEST(Space, SaysWhichFilesAreExpected) {
  test::TemporaryFolder folder;
  test::expect_error(ErrorKind::not_found, "there is no such folder", [&] { Space::open(folder / "none"); });
  test::expect_error(
      ErrorKind::not_found,
      "expected space.json and basis.safetensors, or the released V.pt, mean.pt and std.pt; found neither",
      [&] { Space::open(folder.path()); });
  const auto data = small_space();
  write_released(folder.path(), data);
  fs::remove(folder / "std.pt");
  test::expect_error(ErrorKind::not_found, "std.pt", [&] { Space::open(folder.path()); });
  write_torch_tensor(folder / "std.pt", at::ones({3, 2}));
  test::expect_error(ErrorKind::malformed, "expected a vector", [&] { Space::open(folder.path()); });
  write_torch_tensor(folder / "std.pt", at::ones({3}));
  test::expect_error(ErrorKind::malformed, "expected std [28], found [3]",
                     [&] { Space::open(folder.path()); });
}

TEST(Space, RefusesAnotherModel) {
  test::TemporaryFolder folder;
  auto data = small_space();
  fs::create_directories(folder / "released");
  write_released(folder / "released", data);
  write_space(folder / "compact", data, at::kHalf);
  const Targets other = {{"down.attn1.to_q", 8, 8}};
  test::expect_error(ErrorKind::failure, "has 28 parameters, the 1 adapted matrices of the model have 16",
                     [&] { Space::open(folder / "released", &other); });
  test::expect_error(ErrorKind::failure, "expected down.attn1.to_q [4, 4], found down.attn1.to_q [8, 8]",
                     [&] { Space::open(folder / "compact", &other); });
}

TEST(Space, RefusesMalformedJson) {
  test::TemporaryFolder folder;
  write_space(folder.path(), small_space(), at::kFloat);
  const auto good = test::read_bytes(folder / "space.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    auto text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  const std::pair<std::string, std::string> table[] = {
      {"", "space.json"},
      {good.substr(0, good.size() / 2), "space.json"},
      {"{}", "key 'format' not found"},
      {with("\"format\": 1", "\"format\": 2"), "has format 2, this w2w reads format 1"},
      {with("\"components\": 7", "\"components\": 8"), "disagree about 'components'"},
      {with("\"parameters\": 28", "\"parameters\": 27"), "disagree about 'parameters'"},
      {with("\"parameters\": 28", "\"parameters\": \"x\""), "space.json"},
      {with("\"in\": 6", "\"in\": 7"), "disagree about 'modules'"},
      {with("\"in\": 6", "\"in\": -6"), "module down.attn2.to_v cannot have the shape [4, -6]"},
      {with("\"in\": 6", "\"in\": 9000000000000000000"), "cannot have the shape"},
      {with("\"rank\": 1", "\"rank\": 9000000000000000000"), "rank of at least 1"},
      {with("\"hash\": \"", "\"hash\": \"0"), "disagree about 'hash'"},
      {with("down.attn1", "zown.attn1"), "alphabetical order"},
      {with("\"cfg_scale\": 4.5", "\"cfg_scale\": \"high\""), "space.json"},
      {with("\"rank\": 1", "\"rank\": 0"), "rank of at least 1"},
  };
  for (const auto& [json, message] : table) {
    write_file(folder / "space.json", json);
    test::expect_error(ErrorKind::malformed, message, [&] { Space::open(folder.path()); });
  }
}

TEST(Space, ASparseDescriptionIsEnough) {
  test::TemporaryFolder folder;
  const auto data = small_space();
  write_space(folder.path(), data, at::kFloat);
  write_file(folder / "space.json", R"({"format": "1"})");
  EXPECT_EQ(Space::open(folder.path()).parameters(), 28);
  const auto own = data.layout->targets();
  const auto space = Space::open(folder.path(), &own);
  EXPECT_EQ(space.layout().scale(), 27);
  EXPECT_EQ(space.layout().targets(), own);
}

TEST(Space, RefusesMalformedTensors) {
  test::TemporaryFolder folder;
  write_space(folder.path(), small_space(), at::kFloat);
  std::pair<std::pair<std::string, at::Tensor>, std::string> table[] = {
      {{"mean", {}}, "expected a floating-point tensor 'mean'"},
      {{"mean", at::ones({27})}, "disagree about 'parameters'"},
      {{"std", at::ones({27})}, "expected std [28], found [27]"},
      {{"std", at::ones({28}, at::kInt)}, "expected a floating-point tensor 'std'"},
      {{"components", at::ones({28})}, "expected components [k, P]"},
      {{"components", at::ones({7, 27})}, "expected components [7, 28], found [7, 27]"},
      {{"components", at::ones({0, 28})}, "disagree about 'components'"},
      {{"projection_std", {}}, "expected a floating-point tensor 'projection_std'"},
      {{"projection_std", at::ones({6})}, "expected projection_std [7], found [6]"},
      {{"explained_variance", at::ones({6})}, "expected explained_variance [7], found [6]"},
  };
  const auto good = read_safetensors(folder / "basis.safetensors").tensors;
  for (auto& [change, message] : table) {
    auto tensors = good;
    tensors.erase(change.first);
    if (change.second.defined()) tensors[change.first] = change.second;
    write_safetensors(folder / "changed", tensors, {});
    fs::rename(folder / "changed", folder / "basis.safetensors");
    test::expect_error(ErrorKind::malformed, message, [&] { Space::open(folder.path()); });
  }
  fs::remove(folder / "basis.safetensors");
  test::expect_error(ErrorKind::not_found, "basis.safetensors", [&] { Space::open(folder.path()); });
}

TEST(Space, RefusesToBeEmpty) {
  auto data = small_space();
  data.components = at::ones({0, parameters});
  test::expect_error(ErrorKind::malformed, "is empty: 0 components of 28 parameters",
                     [&] { Space(data, "here"); });
}

TEST(Space, RefusesNamesThatDoNotMatchTheProjections) {
  auto data = small_space();
  data.names.pop_back();
  test::expect_error(ErrorKind::malformed, "8 names for 9 projections", [&] { Space(data, "here"); });
}

}  // namespace
}  // namespace w2w
