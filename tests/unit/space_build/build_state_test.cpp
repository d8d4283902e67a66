#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/generator.h"
#include "w2w/io/tensor_file.h"
#include "w2w/space/build/builder.h"

namespace w2w {
namespace {

struct Stopped {};

/// 130 models of 4800 parameters: three batches of rows, five blocks of columns.
class BuildState : public testing::TestWithParam<BuildMethod> {
 protected:
  void SetUp() override {
    write_safetensors(folder_ / "models.safetensors", {{"theta", Generator(1).randn({130, 4800})}}, {});
    options_.output = folder_ / "space";
    options_.method = GetParam();
    options_.components = 3;
    options_.save_every = 0;
    options_.weights = folder_ / "kept.safetensors";  // so that the models are collected
    options_.linears = {{"down_blocks.0.attn1.to_q", 1200, 1200}, {"up_blocks.0.attn1.to_q", 1200, 1200}};
  }

  void build(const Progress& progress = {}) {
    build_space(find_model_sources({folder_ / "models.safetensors"}), options_, {.progress = progress});
  }

  /// What is left of a build that is stopped at the second step of this stage.
  TensorFile stopped_in(const std::string& stage) {
    std::filesystem::remove_all(folder_ / "space.building");
    int steps = 0;
    const auto stop = [&](const ProgressEvent& event) {
      if (event.what == stage && ++steps == 2) throw Stopped();
    };
    EXPECT_THROW(build(stop), Stopped) << stage;
    auto state = read_safetensors(this->state());
    for (auto& [name, tensor] : state.tensors) tensor = tensor.clone();
    return state;
  }

  void expect_refused(const TensorFile& state, const std::string& says) {
    write_safetensors(this->state(), state.tensors, state.metadata);
    test::expect_error(ErrorKind::malformed,
                       "damaged state of an unfinished build (" + this->state().string() + "): " + says,
                       [&] { build(); });
    EXPECT_TRUE(std::filesystem::exists(this->state()));
  }

  std::filesystem::path state() const { return folder_ / "space.building/state.safetensors"; }
  std::vector<std::string> stages() const {
    return {"collecting", GetParam() == BuildMethod::exact ? "Gram matrix" : "subspace", "components"};
  }

  test::TemporaryFolder folder_;
  BuildOptions options_;
};
INSTANTIATE_TEST_SUITE_P(, BuildState, testing::Values(BuildMethod::exact, BuildMethod::randomized));

TEST_P(BuildState, EveryTensorIsChecked) {
  size_t tensors = 0;
  for (const auto& stage : stages()) {
    const auto whole = stopped_in(stage);
    for (const auto& [name, tensor] : whole.tensors) {
      ++tensors;
      const auto says = "expected '" + name + "' as f64 [";
      auto damaged = whole;
      damaged.tensors.erase(name);
      expect_refused(damaged, says);
      std::vector<at::Tensor> others = {tensor.narrow(0, 1, tensor.size(0) - 1).contiguous(),
                                        tensor.to(at::kFloat), tensor.unsqueeze(0)};
      if (tensor.numel() > 0) others.push_back(at::full_like(tensor, NAN));
      for (const auto& other : others) {
        damaged.tensors[name] = other;
        expect_refused(damaged, says);
      }
    }
    write_safetensors(state(), whole.tensors, whole.metadata);
    build();
    EXPECT_FALSE(std::filesystem::exists(folder_ / "space.building"));
    options_.force = true;
  }
  EXPECT_EQ(tensors, GetParam() == BuildMethod::exact ? 4U : 6U);
}

TEST_P(BuildState, StageAndPositionAreChecked) {
  for (const auto& stage : stages()) {
    const auto whole = stopped_in(stage);
    auto damaged = whole;
    for (const auto* text : {"", "x", "-1", "1e3", "99999999999999999999"}) {
      damaged.metadata["position"] = text;
      expect_refused(damaged, std::string("expected a position of 0 or more, found '") + text + "'");
    }
    damaged.metadata["position"] = "987654321";
    expect_refused(damaged, "expected a position of ");
    damaged = whole;
    damaged.metadata["stage"] = "cooking";
    expect_refused(damaged, "expected a stage of collect, gram, krylov, components, found 'cooking'");
  }
}

TEST_P(BuildState, MatricesBesideItAreAsTheyWereWritten) {
  for (const auto& stage : stages()) {
    const auto whole = stopped_in(stage);
    const auto file = folder_ / "space.building" /
                      (stage == "components" ? "components.safetensors" : "weights.safetensors");
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 100);
    try {
      build();
      ADD_FAILURE() << stage;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::malformed);
      EXPECT_NE(std::string(error.what()).find(file.filename().string()), std::string::npos) << error.what();
    }
  }
}

/// Otherwise "another process is building this space" for as long as this one lives.
TEST_P(BuildState, ARefusedStateDoesNotKeepTheFolderLocked) {
  const auto whole = stopped_in("collecting");
  std::ofstream(state()) << "nothing";
  test::expect_error(ErrorKind::malformed, state().string(), [&] { build(); });
  write_safetensors(state(), whole.tensors, whole.metadata);
  build();
}

}  // namespace
}  // namespace w2w
