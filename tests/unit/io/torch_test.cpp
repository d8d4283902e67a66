#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/io/overwrite.h"
#include "w2w/io/tensor_file.h"
#include "w2w/io/torch_value.h"

namespace w2w {
namespace {

using test::expect_error;
using test::overwrite;
using test::read_bytes;
using test::TemporaryFolder;

const std::filesystem::path data = std::filesystem::path(W2W_TEST_DATA) / "io";  // written by make.py there

class TorchFile : public testing::TestWithParam<const char*> {
 protected:
  const std::filesystem::path path_ = data / GetParam();
};

TEST_P(TorchFile, StateDictIsFoundAndNamed) {
  const TensorFile file = read_tensor_file(path_);
  EXPECT_EQ(file.format, "torch");
  const at::Tensor base = at::arange(12, at::kFloat);
  const TensorMap expected{
      {"weight", at::tensor({0.5, -2.0}).to(at::kBFloat16).view({1, 2})},
      {"matrix", base.slice(0, 0, 6).view({2, 3})},
      {"columns", base.view({3, 4}).t().slice(0, 1, 3)},
      {"count", at::full({}, int64_t{1} << 40, at::kLong)},
      {"parameter", at::ones({2}, at::kDouble)},
      {"empty", at::ones({0, 4}, at::kHalf)},
      {"flags", at::tensor({1, 0}).to(at::kBool)},
  };
  ASSERT_EQ(file.tensors.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    const at::Tensor found = file.tensors.at(name);
    EXPECT_EQ(found.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(found.equal(tensor)) << name;
  }
  EXPECT_EQ(file.tensors.at("columns").strides(), base.view({3, 4}).t().strides());
  EXPECT_EQ(file.tensors.at("columns").storage().data(), file.tensors.at("matrix").storage().data());
}

TEST_P(TorchFile, ValuesBesideTheTensors) {
  const Value root = read_torch_file(path_);
  ASSERT_TRUE(root.dict());
  EXPECT_EQ(root.dict()->items.size(), 4U);
  EXPECT_EQ(root.dict()->find("epoch")->integer(), 3);
  EXPECT_EQ(root.dict()->find("wide")->integer(), int64_t{1} << 40);
  EXPECT_EQ(root.dict()->find("rate")->number(), 0.25);
}

TEST_P(TorchFile, EveryTruncationIsRefused) {
  TemporaryFolder folder;
  const std::string bytes = read_bytes(path_);
  for (size_t size = 0; size < bytes.size(); ++size) {
    overwrite(folder / "cut", bytes.substr(0, size));
    expect_error(ErrorKind::malformed, "(" + (folder / "cut").string() + ")",
                 [&] { read_tensor_file(folder / "cut"); });
    expect_error(ErrorKind::malformed, "(" + (folder / "cut").string() + ")",
                 [&] { read_torch_file(folder / "cut"); });
  }
}

TEST_P(TorchFile, EveryDamagedByteIsReadOrRefused) {
  TemporaryFolder folder;
  const std::string bytes = read_bytes(path_);
  int refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      overwrite(folder / "damaged", damaged);
      try {
        for (const auto& [name, tensor] : read_tensor_file(folder / "damaged").tensors) {
          if (tensor.numel() < 1000 && tensor.scalar_type() != at::kBool) tensor.sum();
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 3) << error.what();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, TorchFile, testing::Values("state.pt", "state_legacy.pt"),
                         [](const auto& test) { return std::string(test.index ? "legacy" : "zip"); });

TEST(Torch, WeightDimensions) {  // {name: (element count, torch.Size)}
  const Value root = read_torch_file(data / "dimensions.pt");
  ASSERT_TRUE(root.dict());
  const Value* entry = root.dict()->find("to_q.lora_A.weight");
  ASSERT_TRUE(entry && entry->list() && entry->list()->size() == 2);
  EXPECT_EQ(entry->list()->at(0).integer(), 320);
  ASSERT_TRUE(entry->list()->at(1).list());
  EXPECT_EQ(entry->list()->at(1).list()->at(1).integer(), 320);
  expect_error(ErrorKind::malformed, "no tensors in torch file",
               [] { read_tensor_file(data / "dimensions.pt"); });
}

TEST(Torch, WrittenTensorsAreReadBack) {
  TemporaryFolder folder;
  for (const at::Tensor& tensor : {at::arange(6, at::kFloat).view({2, 3}).t(), at::arange(3, at::kHalf),
                                   at::full({}, 7, at::kInt), at::ones({0, 2}, at::kDouble)}) {
    write_torch_tensor(folder / "x.pt", tensor);
    const TensorFile file = read_tensor_file(folder / "x.pt");
    ASSERT_EQ(file.tensors.size(), 1U);
    EXPECT_TRUE(file.tensors.at("").equal(tensor));
    EXPECT_EQ(file.tensors.at("").scalar_type(), tensor.scalar_type());
  }
  write_torch_tensor(folder / "y.pt", at::ones({0, 2}, at::kDouble));
  EXPECT_EQ(read_bytes(folder / "x.pt"), read_bytes(folder / "y.pt"));
}

// Replaces bytes of the written file of `tensor`, at equal length, and expects the reader's reason.
void expect_refusal(const at::Tensor& tensor, const std::string& from, const std::string& to,
                    const char* error) {
  TemporaryFolder folder;
  write_torch_tensor(folder / "x.pt", tensor);
  std::string bytes = read_bytes(folder / "x.pt");
  ASSERT_EQ(from.size(), to.size());
  ASSERT_NE(bytes.find(from), std::string::npos);
  for (size_t at = 0; (at = bytes.find(from, at)) != std::string::npos; at += to.size())
    bytes.replace(at, to.size(), to);
  overwrite(folder / "x.pt", bytes);
  expect_error(ErrorKind::malformed, error, [&] { read_torch_file(folder / "x.pt"); });
}

std::string long1(int64_t value) {
  return "\x8a\x08" + std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

TEST(Torch, DamagedArchivesAreRefusedWithTheReason) {
  const at::Tensor tensor = at::arange(6, at::kFloat).view({2, 3});
  expect_refusal(tensor, "data.pkl", "data.pkx", "without data.pkl");
  expect_refusal(tensor, "data/0", "data/1", "entry data/0 is missing");
  expect_refusal(tensor, "little", "beetle", "not little-endian");
  expect_refusal(tensor, "FloatStorage", "FloatStorags", "uses 'torch.FloatStorags'");
  expect_refusal(tensor, "PK\x01\x02", "PK\x01\x03", "its directory is damaged");
  expect_refusal(tensor, "PK\x03\x04\x14", "PK\x03\x05\x14",
                 "local header of entry 'archive/data.pkl' is damaged");
}

TEST(Torch, ShapesStayInTheirStorage) {
  const at::Tensor tensor = at::arange(6, at::kFloat).view({2, 3});
  const std::string sizes = "(" + long1(2) + long1(3) + "t", strides = "(" + long1(3) + long1(1) + "t";
  const auto pair = [](int64_t a, int64_t b) { return "(" + long1(a) + long1(b) + "t"; };
  expect_refusal(tensor, sizes, pair(2, 4), "beyond its storage of 6 elements");
  expect_refusal(tensor, sizes, pair(-2, 3), "no usable offset, sizes and strides");
  expect_refusal(tensor, sizes, pair(int64_t{1} << 40, int64_t{1} << 40),
                 "no usable offset, sizes and strides");
  expect_refusal(tensor, strides, pair(4, 1), "beyond its storage of 6 elements");
  expect_refusal(tensor, strides, pair(-3, 1), "negative stride");
  expect_refusal(tensor, strides, pair(INT64_MAX, INT64_MAX), "beyond its storage of 6 elements");
  expect_refusal(tensor, "tQ" + long1(0), "tQ" + long1(1), "beyond its storage of 6 elements");
  expect_refusal(tensor, "tQ" + long1(0), "tQ" + long1(-1), "no usable offset, sizes and strides");
  expect_refusal(tensor, long1(6) + "tQ", long1(7) + "tQ", "entry data/0 has 24 bytes, expected 28");
  expect_refusal(tensor, long1(6) + "tQ", long1(-1) + "tQ", "no usable key or element count");
  expect_refusal(tensor, long1(6) + "tQ", long1(INT64_MAX) + "tQ", "no usable key or element count");
}

TEST(Torch, WhatIsNoTorchFile) {
  TemporaryFolder folder;
  overwrite(folder / "lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  expect_error(ErrorKind::malformed, "Git LFS pointer", [&] { read_tensor_file(folder / "lfs"); });
  overwrite(folder / "html", "<!DOCTYPE html><html></html>");
  expect_error(ErrorKind::malformed, "it is a web page", [&] { read_tensor_file(folder / "html"); });
  overwrite(folder / "text", "nothing that anybody knows");
  expect_error(ErrorKind::malformed, "neither a safetensors nor a torch file",
               [&] { read_tensor_file(folder / "text"); });
  expect_error(ErrorKind::not_found, "no such file", [&] { read_torch_file(folder / "none"); });
}

}  // namespace
}  // namespace w2w
