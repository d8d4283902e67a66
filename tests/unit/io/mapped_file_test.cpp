#include "w2w/io/mapped_file.h"

#include <gtest/gtest.h>

#include <string>

#include "overwrite.h"
#include "support/temporary_folder.h"

namespace w2w {
namespace {

using test::overwrite;
using test::TemporaryFolder;

TEST(MappedFile, TellsWhoseAnAddressIs) {
  TemporaryFolder folder;
  overwrite(folder / "a", std::string(5000, 'a'));
  overwrite(folder / "b", std::string(3, 'b'));
  auto a = MappedFile::open(folder / "a");
  const auto b = MappedFile::open(folder / "b");
  const char* start = a->bytes().data();
  EXPECT_EQ(mapped_file_at(start), (folder / "a").string());
  EXPECT_EQ(mapped_file_at(start + 4999), (folder / "a").string());
  EXPECT_EQ(mapped_file_at(b->bytes().data() + 2), (folder / "b").string());
  EXPECT_EQ(mapped_file_at(nullptr), nullptr);
  EXPECT_EQ(mapped_file_at(&folder), nullptr);
  a.reset();
  EXPECT_EQ(mapped_file_at(start), nullptr);
  const auto again = MappedFile::open(folder / "a");  // in the place of the one that was closed
  EXPECT_EQ(mapped_file_at(again->bytes().data()), (folder / "a").string());
}

}  // namespace
}  // namespace w2w
