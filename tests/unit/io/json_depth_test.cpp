#include "w2w/io/json_depth.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "io/json_file.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace w2w {
namespace {

std::string nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
}

TEST(JsonDepth, CountsBracketsOutsideOfTextsOnly) {
  EXPECT_FALSE(is_json_too_deep(nested(deepest_json)));
  EXPECT_TRUE(is_json_too_deep(nested(deepest_json + 1)));
  EXPECT_TRUE(is_json_too_deep(std::string(60'000, '{')));
  EXPECT_FALSE(is_json_too_deep("[\"" + std::string(60'000, '[') + "\"]"));
  EXPECT_TRUE(is_json_too_deep(R"(["\\",)" + nested(deepest_json) + "]"));
  EXPECT_FALSE(is_json_too_deep(R"(["\"",")" + nested(deepest_json) + "\"]"));
  std::string many = "[";
  for (int i = 0; i < 1000; ++i) many += "[],";
  EXPECT_FALSE(is_json_too_deep(many + "[]]"));
}

TEST(JsonDepth, FilesAreBoundedWhereTheyAreRead) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.json";
  for (const int depth : {60'000, 2'000'000}) {
    std::ofstream(path) << R"({"a": )" << nested(depth) << "}";
    test::expect_error(ErrorKind::malformed, "a.json): it is nested deeper than 500 levels",
                       [&] { read_json_object(path); });
  }
  std::ofstream(path) << R"({"a": )" << nested(deepest_json - 1) << "}";
  EXPECT_EQ(read_json_object(path).size(), 1U);
}

}  // namespace
}  // namespace w2w
