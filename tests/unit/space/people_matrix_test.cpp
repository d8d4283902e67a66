#include "w2w/space/people_matrix.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

PeopleMatrix three_people(
    const std::string& history = R"([{"command":"sample","identity_seed":7,"spread":1.0}])") {
  PeopleMatrix people{Generator(1).randn({3, 5}), {"anna", "1", "carl"}, {}};
  people.first = {{}, "abc", "demo", history, "sks dog", "exact"};
  return people;
}

TEST(PeopleMatrix, KeepsEverything) {
  test::TemporaryFolder folder;
  const auto written = three_people();
  write_people_matrix(folder / "a.safetensors", written);
  write_people_matrix(folder / "b.safetensors", written);
  EXPECT_EQ(test::read_bytes(folder / "a.safetensors"), test::read_bytes(folder / "b.safetensors"));
  ASSERT_TRUE(is_people_matrix(folder / "a.safetensors"));
  const auto read = read_people_matrix(folder / "a.safetensors");
  EXPECT_TRUE(read.coefficients.equal(written.coefficients));
  EXPECT_EQ(read.names, written.names);
  const auto person = read.person(2);
  EXPECT_TRUE(person.coefficients.equal(written.coefficients[2]));
  EXPECT_EQ(person.space_hash, "abc");
  EXPECT_EQ(person.basis, "exact");
  EXPECT_EQ(person.model, "demo");
  EXPECT_EQ(person.trigger, "sks dog");
  EXPECT_EQ(person.history, R"([{"command":"sample","identity_seed":9,"spread":1.0}])");
  EXPECT_EQ(read.person(0).history, written.first.history);
}

TEST(PeopleMatrix, OnlyTheSeedOfASampleCountsUp) {
  for (const char* history :
       {R"([{"command":"invert","identity_seed":7}])", R"([{"command":"sample"}])", "[]", "{", "7",
        R"([{"command":"sample","identity_seed":7},{"command":"edit"}])",
        R"([{"command":7,"identity_seed":7}])", R"([{"command":"sample","identity_seed":-7}])"}) {
    EXPECT_EQ(three_people(history).person(2).history, history);
  }
}

TEST(PeopleMatrix, RowsAreChosenByNameThenByNumber) {
  const auto people = three_people();
  EXPECT_EQ(people.row("carl", "f"), 2);
  EXPECT_EQ(people.row("1", "f"), 1);
  EXPECT_EQ(people.row("0", "f"), 0);
  test::expect_error(ErrorKind::usage, "unknown person 'karl' (f)", [&] { people.row("karl", "f"); });
  test::expect_error(ErrorKind::usage, "a row from 0 to 2 (f), found '3'", [&] { people.row("3", "f"); });
  for (const char* text : {"", "-1", "1.5", "99999999999999999999", "0x1"})
    test::expect_error(ErrorKind::usage, "(f)", [&] { people.row(text, "f"); });
}

TEST(PeopleMatrix, ARowWithoutANameIsNoMatrix) {
  test::TemporaryFolder folder;
  write_safetensors(folder / "one.safetensors", {{"coefficients", Generator(1).randn({1, 5})}}, {});
  EXPECT_FALSE(is_people_matrix(folder / "one.safetensors"));
  EXPECT_TRUE(is_identity(folder / "one.safetensors"));
  write_safetensors(folder / "one.safetensors", {{"coefficients", Generator(1).randn({1, 5})}},
                    {{"names", "[\"anna\"]"}});
  EXPECT_TRUE(is_people_matrix(folder / "one.safetensors"));
  write_torch_tensor(folder / "many.pt", Generator(1).randn({3, 5}));
  EXPECT_FALSE(is_people_matrix(folder / "many.pt"));
  EXPECT_FALSE(is_people_matrix(folder / "none"));
  EXPECT_FALSE(is_people_matrix(folder.path()));
}

TEST(PeopleMatrix, NothingThatIsNotFiniteIsWritten) {
  test::TemporaryFolder folder;
  auto people = three_people();
  people.coefficients[1][2] = INFINITY;
  test::expect_error(ErrorKind::failure, "not finite",
                     [&] { write_people_matrix(folder / "a.safetensors", people); });
}

}  // namespace
}  // namespace w2w
