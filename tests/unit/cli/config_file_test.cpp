#include "cli/app/config_file.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace w2w::cli {
namespace {

using Values = std::vector<std::string>;

TEST(ConfigFile, ReadsWhatSettingsNeed) {
  const auto entries = parse_config(R"(# a comment
steps = 30   # and another
prompt = "a person, with \"quotes\" and a # inside"
model = 'C:\models'
cfg-scale = 2.5
json = true

[sample]
count = 4
prompt = [ "one",   # first
           'two, three',
         ]
)",
                                    "config.toml");
  ASSERT_EQ(entries.size(), 7U);
  EXPECT_EQ(entries[0].key, "steps");
  EXPECT_EQ(entries[0].values, Values{"30"});
  EXPECT_EQ(entries[0].line, 2);
  EXPECT_EQ(entries[1].values, Values{"a person, with \"quotes\" and a # inside"});
  EXPECT_EQ(entries[2].values, Values{"C:\\models"});
  EXPECT_EQ(entries[4].values, Values{"true"});
  EXPECT_EQ(entries[5].section, "sample");
  EXPECT_EQ(entries[6].values, (Values{"one", "two, three"}));
  EXPECT_EQ(entries[6].line, 10);
}

TEST(ConfigFile, EmptyAndWindowsFiles) {
  EXPECT_TRUE(parse_config("", "c").empty());
  EXPECT_TRUE(parse_config("\n# only words", "c").empty());
  const auto entries = parse_config("\xEF\xBB\xBFsteps = 3\r\nprompt = '''a\r\nb'''\r\n", "c");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].values, Values{"3"});
  EXPECT_EQ(entries[1].line, 2);
}

TEST(ConfigFile, TablesAreSectionsHoweverTheyAreWritten) {
  const std::vector<std::string> texts = {"[space.build]\nseed = 1\n", "space = {build = {seed = 1}}",
                                          "[space]\nbuild.seed = 1", "space.build.seed = 1",
                                          "[space]\nbuild = {seed = 1}"};
  for (const auto& text : texts) {
    SCOPED_TRACE(text);
    const auto entries = parse_config(text, "c");
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].section, "space.build");
    EXPECT_EQ(entries[0].key, "seed");
    EXPECT_EQ(entries[0].values, Values{"1"});
  }
}

TEST(ConfigFile, KeepsTheOrderOfTheFile) {
  const auto entries = parse_config("steps = 1\nforce = true\n[tokens]\nb = 1\na = 2\n[edit]\nc = 3", "c");
  std::string keys;
  for (const auto& entry : entries) keys += entry.key + " ";
  EXPECT_EQ(keys, "steps force b a c ");
}

TEST(ConfigFile, ValuesAreWhatAnOptionIsGiven) {
  const std::vector<std::pair<std::string, Values>> values = {
      {"7", {"7"}},
      {"-7", {"-7"}},
      {"1_000", {"1000"}},
      {"0x10", {"16"}},
      {"3.0", {"3.0"}},
      {"2.5", {"2.5"}},
      {"1e-3", {"0.001"}},
      {"false", {"false"}},
      {"[]", {}},
      {"[1, 'b', true]", {"1", "b", "true"}},
      {"\"caf\\u00e9\"", {"caf\xC3\xA9"}},
      {"\"\"\"\nfirst\nsecond \\\n   third\"\"\"", {"first\nsecond third"}},
      {"'''\na \\ b\n'''", {"a \\ b\n"}}};
  for (const auto& [text, expected] : values) {
    SCOPED_TRACE(text);
    EXPECT_EQ(parse_config("x = " + text, "c").at(0).values, expected);
  }
}

TEST(ConfigFile, NamesThePlaceThatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"steps", "encountered end-of-file (c, line 1, column 6)\n    steps\n         ^"},
      {"\n\nsteps = ", "encountered end-of-file (c, line 3, column 9)\n    steps = \n            ^"},
      {"model = sd15",
       "could not determine value type (c, line 1, column 9)\n    model = sd15\n            ^"},
      {"model = \"sd15", "error while parsing string: encountered end-of-file"},
      {"model = \"a\nb\"", "control characters other than TAB (U+0009) are explicitly prohibited (c, line 1"},
      {"model = \"a\\q\"", "unknown escape sequence '\\q'"},
      {"steps = 3 4", "saw '4'"},
      {"steps = 3\nsteps = 4\n",
       "cannot redefine existing integer 'steps' (c, line 2, column 9)\n    steps = 4\n            ^"},
      {"[a]\nx = 1\n[a]\ny = 2", "cannot redefine existing table 'a' (c, line 3, column 1)"},
      {"[sample", "error while parsing table header"},
      {"[]", "tables with blank bare keys"},
      {"= 3", "saw '='"},
      {"p = [1 2]", "expected comma or closing ']'"},
      {"p = [1,", "error while parsing array"},
      {"p = '\xC3\xA9\xC3\xA9' x\r\n",
       "saw 'x' (c, line 1, column 10)\n    p = '\xC3\xA9\xC3\xA9' x\n             ^"},
      {"\n\tday = 2024-02-29",
       "a date or time: expected text, a number, true or false (c, line 2, column 8)\n     day = 2024-02-29\n"
       "           ^"},
      {"at = [07:30:00]", "a date or time: expected text, a number, true or false (c, line 1, column 7)"},
      {"p = [[1], [2]]",
       "a list within a list: a setting has one value or a list of them (c, line 1, column 6)"},
      {"[[sample]]\nsteps = 1", "a table within a list"},
      {"seed = 99999999999999999999", "not representable in 64 bits"},
  };
  for (const auto& [text, message] : wrong) {
    SCOPED_TRACE(text);
    test::expect_error(ErrorKind::malformed, message, [&text = text] { parse_config(text, "c"); });
  }
}

TEST(ConfigFile, OfALongLineWhatIsNearIsShown) {
  const auto text = "prompt = \"" + std::string(200, 'a') + "\" b" + std::string(200, 'c');
  test::expect_error(ErrorKind::malformed,
                     "column 213)\n    ..." + std::string(47, 'a') + "\" b" + std::string(22, 'c') + "...\n" +
                         std::string(56, ' ') + "^",
                     [&] { parse_config(text, "c"); });
}

TEST(ConfigFile, KeysWithoutAnEndAreRefused) {
  std::string keys = "a";
  for (int i = 0; i < 1'000'000; ++i) keys += ".a";
  for (const auto& text : {"x = 1\n" + keys + " = 1", "\n[" + keys + "]"}) {
    test::expect_error(ErrorKind::malformed, "a line with 1000000 dots: expected at most 100 (c, line 2,",
                       [&text = text] { parse_config(text, "c"); });
  }
  std::string deep = "x = ";
  for (int i = 0; i < 300; ++i) deep += "[\n";
  test::expect_error(ErrorKind::malformed, "maximum nested value depth", [&] { parse_config(deep, "c"); });
}

TEST(ConfigFile, MissingFileAndFolder) {
  const test::TemporaryFolder folder;
  test::expect_error(ErrorKind::not_found, "no such file", [&] { read_config_file(folder / "none.toml"); });
  test::expect_error(ErrorKind::malformed, "found a folder", [&] { read_config_file(folder.path()); });
}

}  // namespace
}  // namespace w2w::cli
