#include "w2w/text/clip_tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"

namespace w2w {
namespace {

using Ids = std::vector<int64_t>;

const ClipTokenizer& clip() {
  static const auto tokenizer = ClipTokenizer::builtin();
  return tokenizer;
}

TEST(ClipTokenizer, KnownIds) {  // transformers CLIPTokenizer, openai/clip-vit-large-patch14
  EXPECT_EQ(clip().encode("a photo of sks person"), (Ids{320, 1125, 539, 48136, 2533}));
  EXPECT_EQ(clip().encode("Don't I'M"), (Ids{847, 713, 328, 880}));
  EXPECT_EQ(clip().encode("İstanbul"), (Ids{328, 16384, 11231}));
  EXPECT_EQ(clip().encode("e\u0301"), (Ids{4166}));
  EXPECT_EQ(clip().encode("''s\t1²"), (Ids{8445, 338, 272, 41175}));
  EXPECT_EQ(clip().encode(std::string_view("x\0y", 3)), (Ids{343, 444, 344}));
  EXPECT_EQ(clip().encode(" \n\u3000"), Ids{});
}

TEST(ClipTokenizer, SpecialTokensInThePromptAreTakenAsWrittenOnly) {
  EXPECT_EQ(clip().encode("a<|endoftext|>b"), (Ids{320, 49407, 321}));
  EXPECT_EQ(clip().encode("<|StartOfText|>x"), (Ids{27, 347, 993, 6659, 4160, 91, 285, 343}));
}

TEST(ClipTokenizer, FramesToTheLengthOfTheTextEncoder) {
  const auto prompt = clip().tokenize("sks person");
  ASSERT_EQ(prompt.ids.size(), 77U);
  EXPECT_EQ(Ids(prompt.ids.begin(), prompt.ids.begin() + 5), (Ids{49406, 48136, 2533, 49407, 49407}));
  EXPECT_EQ(prompt.eos_position, 3);
  EXPECT_EQ(prompt.cut_off, "");
  EXPECT_EQ(ClipTokenizer::builtin("!").tokenize("sks person").ids[4], 0);
}

TEST(ClipTokenizer, ReportsTheTextThatDoesNotFit) {
  std::string text;
  for (int i = 0; i < 74; ++i) text += "sks ";
  EXPECT_EQ(clip().tokenize(text + "person").cut_off, "");
  const auto prompt = clip().tokenize(text + "person with Glasses, naïve");
  EXPECT_EQ(prompt.cut_off, "with glasses , naïve");
  EXPECT_EQ(prompt.eos_position, 76);
  EXPECT_EQ(prompt.ids[75], 2533);
  EXPECT_EQ(prompt.ids[76], 49407);
}

TEST(ClipTokenizer, BytesThatAreNotUtf8CountAsReplacementCharacter) {
  EXPECT_EQ(clip().encode("a\xFF"
                          "b"),
            clip().encode("a\uFFFD"
                          "b"));
  EXPECT_EQ(clip().encode("a\xE2\x82"), clip().encode("a\uFFFD\uFFFD"));
}

TEST(ClipTokenizer, PiecesAndText) {
  EXPECT_EQ(clip().piece(2533), "person</w>");
  EXPECT_EQ(clip().decode(clip().encode("Über-Mensch")), "über - mensch");
  EXPECT_EQ(clip().vocabulary_size(), 49408);
  test::expect_error(ErrorKind::failure, "outside the vocabulary of 49408", [] { clip().piece(49408); });
  test::expect_error(ErrorKind::failure, "token id -1", [] { clip().piece(-1); });
}

/// Five entries; BPE reaches "abc" by no merge, and "b" only inside a word.
struct SmallFolder : testing::Test {
  void SetUp() override {
    write("vocab.json", R"({"a": 0, "b": 1, "c</w>": 2, "bc</w>": 3, "ab": 4, "abc</w>": 5,
                           "<|startoftext|>": 6, "<|endoftext|>": 7})");
    write("merges.txt", "#version: 0.2\nb c</w>\na b\nab c</w>\n");
  }
  void write(const std::string& name, std::string_view text) const { write_file(folder / name, text); }
  ClipTokenizer load() const { return ClipTokenizer::from_folder(folder.path()); }
  void expect_malformed(const std::string& message) const {
    test::expect_error(ErrorKind::malformed, message, [&] { load(); });
  }

  test::TemporaryFolder folder;
};

TEST_F(SmallFolder, KeepsEntriesOfWhichTheMergesNeverMakeUse) {
  EXPECT_EQ(load().encode("abc"), (Ids{0, 3}));
  EXPECT_EQ(load().encode("aabc"), (Ids{0, 0, 3}));
}

TEST_F(SmallFolder, CountsEachUnknownByte) { EXPECT_EQ(load().encode("xé b"), (Ids{7, 7, 7, 7})); }

TEST_F(SmallFolder, ReadsSpecialTokensAndLength) {
  write("tokenizer_config.json",
        R"({"model_max_length": 5, "pad_token": "ab", "eos_token": {"__type": "AddedToken",
        "content": "<|endoftext|>", "normalized": true}})");
  EXPECT_EQ(load().tokenize("bc").ids, (Ids{6, 3, 7, 4, 4}));
  write("special_tokens_map.json", R"({"pad_token": "a"})");
  EXPECT_EQ(load().tokenize("bc").ids, (Ids{6, 3, 7, 0, 0}));
  EXPECT_EQ(load().pad(), 0);
  EXPECT_EQ(load().max_length(), 5);
}

TEST_F(SmallFolder, MissingFilesAreNotFound) {
  std::filesystem::remove(folder / "merges.txt");
  test::expect_error(ErrorKind::not_found, "merges.txt", [&] { load(); });
  std::filesystem::remove(folder / "vocab.json");
  test::expect_error(ErrorKind::not_found, "vocab.json", [&] { load(); });
}

TEST_F(SmallFolder, MalformedVocabularies) {
  const std::string good = test::read_bytes(folder / "vocab.json");
  for (size_t size = 0; size < good.size(); ++size) {
    write("vocab.json", good.substr(0, size));
    expect_malformed("vocab.json");
  }
  for (const char* bad :
       {"[]", "7", R"({"a": -1})", R"({"a": 0.5})", R"({"a": "x"})", R"({"a": null})", R"({"a": {}})",
        R"({"a": true})", R"({"a": [0]})", R"({"a": 0, "b": 2})", R"({"a": 0, "b": 0})",
        R"({"a": 99999999999999999999})", R"({"a": 0} x)", "{\"\xFF\": 0}"}) {
    write("vocab.json", bad);
    expect_malformed("vocab.json");
  }
  write("vocab.json", R"({")" + std::string(5000, 'a') + R"(": 0})");
  expect_malformed("entry 0 is 5000 bytes long; expected at most 4096");
  write("vocab.json", R"({"a": 0})");
  write("merges.txt", "");
  expect_malformed("bos_token '<|startoftext|>' is not in the vocabulary of 1 entries");
}

TEST_F(SmallFolder, MalformedMerges) {
  const std::pair<const char*, const char*> cases[] = {
      {"a b c", "merge 1: expected two entries with one space between, found 'a b c'"},
      {"#version: 0.2\na b\n\n", "merge 3: expected two entries"},
      {"ab", "found 'ab'"},
      {" a", "found ' a'"},
      {"a ", "found 'a '"},
      {"a z", "a merge uses 'z', which is no entry"},
      {"b b", "a merge uses 'bb', which is no entry"}};
  for (const auto& [text, message] : cases) {
    write("merges.txt", text);
    expect_malformed(message);
    expect_malformed("merges.txt");
  }
}

TEST_F(SmallFolder, MalformedConfiguration) {
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    for (const char* bad : {"", "[]", "{", R"({"pad_token": 3})", R"({"pad_token": {}})"}) {
      write(name, bad);
      expect_malformed(name);
    }
    write(name, R"({"pad_token": "zz"})");
    expect_malformed("pad_token 'zz' is not in the vocabulary of 8 entries");
    std::filesystem::remove(folder / name);
  }
  for (const char* bad : {"2", "\"x\"", "-1"}) {
    write("tokenizer_config.json", std::string(R"({"model_max_length": )") + bad + "}");
    expect_malformed("model_max_length: expected 3 or more");
  }
}

TEST_F(SmallFolder, ReadsTokenizerJsonWhereTheTwoFilesAreMissing) {
  std::filesystem::remove(folder / "vocab.json");
  std::filesystem::remove(folder / "merges.txt");
  const std::string vocabulary =
      R"({"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4})";
  for (const char* merge : {R"(["a", "b</w>"])", R"("a b</w>")"}) {
    write("tokenizer.json",
          R"({"added_tokens": [], "model": {"vocab": )" + vocabulary + R"(, "merges": [)" + merge + "]}}");
    EXPECT_EQ(load().encode("ab"), (Ids{2}));
  }
  for (const char* bad : {"", "{}", R"({"model": {}})", R"({"model": {"vocab": [], "merges": 3}})",
                          R"({"model": {"vocab": {"a": "x"}, "merges": []}})",
                          R"({"model": {"vocab": {"a": 0}, "merges": [["a"]]}})"}) {
    write("tokenizer.json", bad);
    expect_malformed("tokenizer.json");
  }
}

}  // namespace
}  // namespace w2w
