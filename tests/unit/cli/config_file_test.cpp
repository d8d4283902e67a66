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
  EXPECT_EQ(parse_config("steps = 3\r\nthreads = 2\r\n", "c").size(), 2U);
}

TEST(ConfigFile, NamesTheLineThatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"steps", "expected '=' after 'steps' (c, line 1)"},
      {"\n\nsteps = ", "expected a value, found '' (text needs quotes) (c, line 3)"},
      {"model = sd15", "expected a value, found 'sd15' (text needs quotes)"},
      {"model = \"sd15", "a string without its closing quote"},
      {"model = \"a\nb\"", "a string without its closing quote (c, line 1)"},
      {"model = \"a\\q\"", "unknown escape '\\q'"},
      {"steps = 3 4", "unexpected '4'"},
      {"steps = 3\nsteps = 4", "'steps' is set twice (c, line 2)"},
      {"[sample", "expected ']'"},
      {"[]", "expected a section name"},
      {"= 3", "expected a setting, found '= 3'"},
      {"p = [1 2]", "expected ',' or ']'"},
      {"p = [1,", "expected a value"},
  };
  for (const auto& [text, message] : wrong) {
    SCOPED_TRACE(text);
    test::expect_error(ErrorKind::malformed, message, [&text = text] { parse_config(text, "c"); });
  }
}

TEST(ConfigFile, MissingFileAndFolder) {
  const test::TemporaryFolder folder;
  test::expect_error(ErrorKind::not_found, "no such file", [&] { read_config_file(folder / "none.toml"); });
  test::expect_error(ErrorKind::malformed, "found a folder", [&] { read_config_file(folder.path()); });
}

}  // namespace
}  // namespace w2w::cli
