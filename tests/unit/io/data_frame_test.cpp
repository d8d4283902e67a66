#include "w2w/io/data_frame.h"

#include <ATen/ops/isnan.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/io/overwrite.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

using test::expect_error;
using test::overwrite;
using test::TemporaryFolder;
using Names = std::vector<std::string>;

const std::filesystem::path data = std::filesystem::path(W2W_TEST_DATA) / "io";

at::Tensor expected_values() {
  return at::tensor({1.0F, -1.0F, 0.5F, -1.0F, -1.0F, -1.0F, -1.5F, 1.0F, 1.0F, 1.0F, 2.0F, -1.0F})
      .view({3, 4});
}

/// The warnings `body` gives.
template <typename Body>
Names warnings(Body body) {
  Names result;
  body(w2w::Run{{}, nullptr, [&](LogLevel level, std::string_view text) {
                  if (level == LogLevel::warning) result.emplace_back(text);
                }});
  return result;
}

TEST(LabelTable, FromPickledDataFrame) {
  LabelTable table;
  const Names warned =
      warnings([&](const w2w::Run& run) { table = read_label_table(data / "labels.pt", run); });
  EXPECT_EQ(table.rows, (Names{"12", "7", "person é"}));
  EXPECT_EQ(table.columns, (Names{"Male", "Young", "score", "Bald"}));
  EXPECT_TRUE(table.values.equal(expected_values()));
  ASSERT_EQ(warned.size(), 1U);
  EXPECT_NE(warned[0].find("column 'note'"), std::string::npos);
}

TEST(LabelTable, FromCsv) {
  TemporaryFolder folder;
  overwrite(folder / "x.csv",
            "\xef\xbb\xbfname,\"Male\",Young,score,note,Bald\r\n12,1,-1,0.5,a,-1\r\n7,-1, -1 ,-1.5,\"b, "
            "\"\"c\"\"\",+1\r\n"
            "person é,1,1,2e0,3,-1");
  LabelTable table;
  EXPECT_EQ(warnings([&](const w2w::Run& run) { table = read_label_table(folder / "x.csv", run); }).size(),
            1U);
  EXPECT_EQ(table.rows, (Names{"12", "7", "person é"}));
  EXPECT_EQ(table.columns, (Names{"Male", "Young", "score", "Bald"}));
  EXPECT_TRUE(table.values.equal(expected_values()));
}

TEST(LabelTable, EmptyCellsAreNan) {
  TemporaryFolder folder;
  overwrite(folder / "x.csv", "name,a,b\n\np,,1\nq,2,\n");
  const LabelTable table = read_label_table(folder / "x.csv");
  EXPECT_EQ(table.rows, (Names{"p", "q"}));
  EXPECT_TRUE(at::isnan(table.values).equal(at::tensor({1, 0, 0, 1}).view({2, 2}).to(at::kBool)));
}

TEST(LabelTable, BadCsvIsRefusedWithTheReason) {
  TemporaryFolder folder;
  const auto expect = [&](const std::string& csv, const char* error) {
    overwrite(folder / "x.csv", csv);
    expect_error(ErrorKind::malformed, error, [&] { read_label_table(folder / "x.csv"); });
  };
  expect("", "its first line names no column besides the row names");
  expect("name\np\n", "its first line names no column besides the row names");
  expect("name,a,b\np,1\n", "line 2 has 2 cells, expected 3");
  expect("name,a\np,1\nq,1o\n", "line 3, column 'a': expected a number, found '1o'");
  expect("name,a\np,\"1\n", "a quote in line 2 is not closed");
  expect("name,a\np,x\n", "no column holds numbers");
  expect_error(ErrorKind::not_found, "no such file", [&] { read_label_table(folder / "none.csv"); });
}

TEST(LabelTable, OtherTorchFilesAreRefused) {
  expect_error(ErrorKind::malformed, "expected a pandas.core.frame.DataFrame",
               [] { read_label_table(data / "state.pt"); });
}

TEST(LabelTable, EveryTruncationIsRefused) {
  TemporaryFolder folder;
  const std::string bytes = test::read_bytes(data / "labels.pt");
  for (size_t size = 4; size < bytes.size(); ++size) {
    overwrite(folder / "x.pt", bytes.substr(0, size));
    expect_error(ErrorKind::malformed, "x.pt", [&] { read_label_table(folder / "x.pt"); });
  }
}

TEST(LabelTable, EveryDamagedByteIsReadOrRefused) {
  TemporaryFolder folder;
  for (const char* name : {"frame_0.25.pt", "frame_3.1.pt", "series_2.0.pt"}) {
    const std::string bytes = test::read_bytes(data / "pandas" / name);
    int refused = 0;
    for (size_t at = 0; at < bytes.size(); ++at) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (at % 2 == 0 ? 0x01 : 0x80));
      overwrite(folder / "x.pt", damaged);
      try {
        read_label_table(folder / "x.pt");
      } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 3) << error.what();
        ++refused;
      }
    }
    EXPECT_GT(refused, 0) << name;
  }
}

}  // namespace
}  // namespace w2w
