#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/io/overwrite.h"
#include "w2w/base/sha256.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

using test::expect_error;
using test::overwrite;
using test::read_bytes;
using test::TemporaryFolder;

/// A file with this header text and `payload` bytes of zeros.
std::string file_bytes(const std::string& header, size_t payload) {
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + std::string(payload, '\0');
}

TensorMap small_tensors() {
  return {{"b", at::arange(6, at::kFloat).view({2, 3})},
          {"a", at::arange(3, at::kByte)},
          {"half", at::full({1, 2}, 0.5, at::kBFloat16)},
          {"scalar", at::full({}, 7, at::kLong)},
          {"empty", at::empty({0, 4}, at::kHalf)}};
}

TEST(Safetensors, WritesWhatItReads) {
  TemporaryFolder folder;
  write_safetensors(folder / "x", small_tensors(), {{"w2w.format", "1"}, {"title", "smörgås"}});
  const TensorFile file = read_tensor_file(folder / "x");
  EXPECT_EQ(file.format, "safetensors");
  EXPECT_EQ(file.metadata, (Metadata{{"w2w.format", "1"}, {"title", "smörgås"}}));
  ASSERT_EQ(file.tensors.size(), small_tensors().size());
  for (const auto& [name, tensor] : small_tensors()) {
    EXPECT_EQ(file.tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(file.tensors.at(name).equal(tensor)) << name;
  }
}

TEST(Safetensors, SameInputSameBytesAndEveryTensorAligned) {
  TemporaryFolder folder;
  write_safetensors(folder / "x", small_tensors(), {});
  write_safetensors(folder / "y", small_tensors(), {});
  const std::string bytes = read_bytes(folder / "x");
  EXPECT_EQ(bytes, read_bytes(folder / "y"));
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  EXPECT_FALSE(header.contains("__metadata__"));
  for (const auto& [name, tensor] : small_tensors())
    EXPECT_EQ(header[name]["data_offsets"][0].get<int64_t>() % tensor.element_size(), 0) << name;
  EXPECT_EQ(safetensors_payload_sha256(small_tensors()),
            Sha256().update(bytes.data() + 8 + length, bytes.size() - 8 - length).hex());
}

TEST(Safetensors, StridedTensorsAreWrittenInOrder) {
  TemporaryFolder folder;
  const at::Tensor columns = at::arange(6, at::kInt).view({2, 3}).t();
  write_safetensors(folder / "x", {{"t", columns}}, {});
  EXPECT_TRUE(read_safetensors(folder / "x").tensors.at("t").equal(columns));
}

TEST(Safetensors, ViewsOutliveTheFileObjectAndItsName) {
  TemporaryFolder folder;
  write_safetensors(folder / "x", small_tensors(), {});
  const at::Tensor tensor = read_safetensors(folder / "x").tensors.at("b");
  std::filesystem::remove(folder / "x");
  EXPECT_TRUE(tensor.equal(small_tensors().at("b")));
}

TEST(Safetensors, OddAddressesAreCopiedIntoAlignedMemory) {
  TemporaryFolder folder;
  std::string bytes = file_bytes(
      R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
      1);
  const float value = 1.5F;
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  overwrite(folder / "x", bytes);
  const at::Tensor tensor = read_safetensors(folder / "x").tensors.at("f");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % sizeof(float), 0U);
  EXPECT_EQ(tensor[0].item<float>(), value);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  TemporaryFolder folder;
  write_safetensors(folder / "x", small_tensors(), {{"key", "text"}});
  const std::string bytes = read_bytes(folder / "x");
  for (size_t size = 0; size < bytes.size(); ++size) {
    overwrite(folder / "cut", bytes.substr(0, size));
    expect_error(ErrorKind::malformed, "(" + (folder / "cut").string() + ")",
                 [&] { read_safetensors(folder / "cut"); });
    expect_error(ErrorKind::malformed, "(" + (folder / "cut").string() + ")",
                 [&] { read_tensor_file(folder / "cut"); });
  }
}

struct Malformed {
  const char* header;
  size_t payload;
  const char* error;
};

class SafetensorsMalformed : public testing::TestWithParam<Malformed> {};

TEST_P(SafetensorsMalformed, IsRefusedWithTheReason) {
  TemporaryFolder folder;
  overwrite(folder / "x", file_bytes(GetParam().header, GetParam().payload));
  expect_error(ErrorKind::malformed, GetParam().error, [&] { read_safetensors(folder / "x"); });
}

INSTANTIATE_TEST_SUITE_P(
    Table, SafetensorsMalformed,
    testing::Values(
        Malformed{"", 0, "does not begin with '{'"}, Malformed{"[]", 0, "does not begin with '{'"},
        Malformed{" {}", 0, "does not begin with '{'"}, Malformed{"{", 0, "is not JSON"},
        Malformed{"{} x", 0, "is not JSON"}, Malformed{"{\"a\xff\":1}", 0, "is not JSON"},
        Malformed{"{}", 1, "1 bytes follow the last tensor, expected none"},
        Malformed{R"({"a":[[[[[]]]]]})", 0, "nested deeper"},
        Malformed{R"({"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,1]}})", 1, "is not JSON"},
        Malformed{R"({"a":7})", 0, "tensor 'a' is not described by an object"},
        Malformed{R"({"__metadata__":[]})", 0, "__metadata__ is not an object of strings"},
        Malformed{R"({"__metadata__":{"k":1}})", 0, "__metadata__ 'k' is not a string"},
        Malformed{R"({"__metadata__":{"k":"1","k":"2"}})", 0, "key 'k' appears twice"},
        Malformed{R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}})", 0,
                  "key 'a' appears twice"},
        Malformed{R"({"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}})", 0,
                  "key 'dtype' appears twice"},
        Malformed{R"({"a":{"shape":[],"data_offsets":[0,1]}})", 1, "tensor 'a' has no dtype"},
        Malformed{R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1, "has no shape"},
        Malformed{R"({"a":{"dtype":"U8","shape":[]}})", 1, "has no data_offsets"},
        Malformed{R"({"a":{"dtype":1,"shape":[],"data_offsets":[0,1]}})", 1, "dtype that is not a string"},
        Malformed{R"({"a":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}})", 1,
                  "unsupported dtype 'F8_E8M0'"},
        Malformed{R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "shape that is not a list"},
        Malformed{R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1,
                  "shape that is not a list"},
        Malformed{R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1, "shape that is not a list"},
        Malformed{R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", 1,
                  "shape that is not a list"},
        Malformed{R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,1]}})", 1,
                  "size overflows"},
        Malformed{R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})", 0,
                  "size overflows"},
        Malformed{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "not [begin, end]"},
        Malformed{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "not [begin, end]"},
        Malformed{R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,12]}})", 12,
                  "of f32 [2, 2] needs 16 bytes, its data_offsets give 12"},
        Malformed{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "begins at 1, expected 0"},
        Malformed{R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                  3, "tensor 'b' begins at 1, expected 2"},
        Malformed{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3,
                  "need 4 bytes after the header"}));

TEST(Safetensors, HeaderLengthIsBounded) {
  TemporaryFolder folder;
  overwrite(folder / "huge", std::string(8, '\xff') + "{}");
  expect_error(ErrorKind::malformed, "header length is 18446744073709551615, expected at most 100000000",
               [&] { read_safetensors(folder / "huge"); });
  overwrite(folder / "long", std::string("\x20\0\0\0\0\0\0\0", 8) + "{}");
  expect_error(ErrorKind::malformed, "header length is 32, but only 2 bytes follow",
               [&] { read_safetensors(folder / "long"); });
}

TEST(Safetensors, WhatIsNoFile) {
  TemporaryFolder folder;
  expect_error(ErrorKind::not_found, "no such file", [&] { read_safetensors(folder / "none"); });
  expect_error(ErrorKind::malformed, "found a folder", [&] { read_safetensors(folder.path()); });
}

TEST(Safetensors, UnwritableInputsLeaveNoFile) {
  TemporaryFolder folder;
  const at::Tensor tensor = at::full({1}, 1.0);
  expect_error(ErrorKind::failure, "cannot be named __metadata__", [&] {
    write_safetensors(folder / "x", {{"__metadata__", tensor}}, {});
  });
  expect_error(ErrorKind::failure, "not UTF-8", [&] {
    write_safetensors(folder / "x", {{"bad\xff", tensor}}, {});
  });
  expect_error(ErrorKind::failure, "no name for dtype ComplexFloat", [&] {
    write_safetensors(folder / "x", {{"c", tensor.to(at::kComplexFloat)}}, {});
  });
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Safetensors, MetadataThatIsNotUtf8IsReplaced) {
  TemporaryFolder folder;
  write_safetensors(folder / "x", {{"a", at::full({1}, 1.0)}}, {{"prompt", "a\xff b"}});
  EXPECT_EQ(read_safetensors(folder / "x").metadata.at("prompt"), "a\uFFFD b");
}

}  // namespace
}  // namespace w2w
