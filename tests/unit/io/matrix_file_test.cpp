#include "w2w/io/matrix_file.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace w2w {
namespace {

at::Tensor matrix() { return at::arange(35, at::kFloat).view({5, 7}); }

TEST(MatrixFile, IsTheSameWhateverTheOrderOfItsPieces) {
  const test::TemporaryFolder folder;
  const auto whole = matrix();
  {
    MatrixFile file(folder / "m.safetensors", "m", 5, 7, at::kFloat, {{"names", "[]"}});
    file.write(2, 0, whole.narrow(0, 2, 3).to(at::kDouble));
    file.write(0, 3, whole.narrow(0, 0, 2).narrow(1, 3, 4));
    file.write(0, 0, whole.narrow(0, 0, 2).narrow(1, 0, 3));
  }
  const auto read = read_safetensors(folder / "m.safetensors");
  EXPECT_TRUE(read.tensors.at("m").equal(whole));
  EXPECT_EQ(read.metadata.at("names"), "[]");
  write_safetensors(folder / "expected.safetensors", {{"m", whole}}, {{"names", "[]"}});
  EXPECT_EQ(test::read_bytes(folder / "m.safetensors"), test::read_bytes(folder / "expected.safetensors"));
}

TEST(MatrixFile, GoesOnWithWhatIsThere) {
  const test::TemporaryFolder folder;
  const auto whole = matrix();
  MatrixFile(folder / "m.safetensors", "m", 5, 7, at::kHalf).write(0, 0, whole.narrow(0, 0, 4));
  MatrixFile(folder / "m.safetensors", "m", 5, 7, at::kHalf).write(4, 0, whole.narrow(0, 4, 1));
  EXPECT_TRUE(read_safetensors(folder / "m.safetensors").tensors.at("m").equal(whole.to(at::kHalf)));
  MatrixFile(folder / "m.safetensors", "m", 5, 8, at::kHalf);  // of another size: begins anew
  EXPECT_EQ(read_safetensors(folder / "m.safetensors").tensors.at("m").abs().sum().item<float>(), 0);
}

TEST(MatrixFile, SaysWhatCannotBeWritten) {
  const test::TemporaryFolder folder;
  test::expect_error(ErrorKind::failure, "none/m.safetensors",
                     [&] { MatrixFile(folder / "none/m.safetensors", "m", 2, 2, at::kFloat); });
}

TEST(MatrixFile, SaysWhetherItWasThere) {
  const test::TemporaryFolder folder;
  const auto open = [&](int64_t columns) {
    return MatrixFile(folder / "m.safetensors", "m", 5, columns, at::kFloat).reopened();
  };
  EXPECT_FALSE(open(7));
  EXPECT_TRUE(open(7));
  EXPECT_FALSE(open(8));
}

size_t open_files() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST(MatrixFile, AFileThatCannotBeReservedIsClosed) {
  const auto before = open_files();
  for (int i = 0; i < 3; ++i) {
    test::expect_error(ErrorKind::failure, "/dev/full",
                       [] { MatrixFile("/dev/full", "m", 2, 2, at::kFloat); });
  }
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace w2w
