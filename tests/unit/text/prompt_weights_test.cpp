#include "w2w/text/prompt_weights.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace w2w {
namespace {

/// Spans as "text:weight" with two decimals, joined by '|'.
std::string spans(std::string_view prompt) {
  std::string text;
  for (const auto& span : parse_prompt_weights(prompt)) {
    char weight[32];
    std::snprintf(weight, sizeof weight, "%.3f", span.weight);
    text += (text.empty() ? "" : "|") + span.text + ":" + weight;
  }
  return text;
}

TEST(PromptWeights, Brackets) {
  EXPECT_EQ(spans("normal text"), "normal text:1.000");
  EXPECT_EQ(spans("an (important) word"), "an :1.000|important:1.100| word:1.000");
  EXPECT_EQ(spans("a ((b)) [c] [[d]]"), "a :1.000|b:1.210| :1.000|c:0.909| :1.000|d:0.826");
  EXPECT_EQ(spans("(a:1.3)(b: +0.5 )(c:-1)(d:.5)"), "a:1.300|b:0.500|c:-1.000|d:0.500");
  EXPECT_EQ(spans("((a:2) b)"), "a:2.200| b:1.100");
  EXPECT_EQ(spans("(one)(two)"), "onetwo:1.100");
  EXPECT_EQ(spans(""), ":1.000");
}

TEST(PromptWeights, WhatIsNotSyntaxIsText) {
  EXPECT_EQ(spans("\\(a\\) \\[b\\] \\\\ \\c"), "(a) [b] \\ c:1.000");
  EXPECT_EQ(spans("a) b] c: d:1.5 e:2)"), "a) b] c: d:1.5 e:2):1.000");
  EXPECT_EQ(spans("(a:b) (c:1.5"), "a:b:1.100| :1.000|c:1.5:1.100");
  EXPECT_EQ(spans("[a:1.5]"), "a:1.5:0.909");
  EXPECT_EQ(spans("(open [square"), "open :1.100|square:1.000");
  EXPECT_EQ(spans("trailing\\"), "trailing:1.000");
  EXPECT_EQ(spans("(a:"), "a::1.100");
  EXPECT_EQ(spans("(a:)"), "a::1.100");
  EXPECT_EQ(spans("(é:1.5)ü"), "é:1.500|ü:1.000");
}

TEST(PromptWeights, BreakIsASpace) {
  EXPECT_EQ(spans("a BREAK b"), "a b:1.000");
  EXPECT_EQ(spans("BREAKFAST (a BREAK b) xBREAK"), "BREAKFAST :1.000|a b:1.100| xBREAK:1.000");
}

TEST(PromptWeights, RefusesWeightsThatAreNoNumbers) {
  test::expect_error(ErrorKind::usage, "prompt weight '1.2.3' is not a number",
                     [] { parse_prompt_weights("(a:1.2.3)"); });
  test::expect_error(ErrorKind::usage, "prompt weight '...'", [] { parse_prompt_weights("(a:...)"); });
}

TEST(PromptWeights, OneWeightForEachId) {
  const auto tokenizer = ClipTokenizer::builtin();
  const auto [prompt, weights] = tokenize_weighted(tokenizer, "a (sks person:1.5), [photo]");
  EXPECT_EQ(prompt.ids, tokenizer.tokenize("a sks person, photo").ids);
  ASSERT_EQ(weights.size(), 77U);
  EXPECT_EQ(std::vector<double>(weights.begin(), weights.begin() + 7),
            (std::vector<double>{1, 1, 1.5, 1.5, 1, 1 / 1.1, 1}));
  EXPECT_EQ(std::count(weights.begin() + 7, weights.end(), 1.0), 70);
}

TEST(PromptWeights, LongPromptsAreCut) {
  std::string text = "(";
  for (int i = 0; i < 80; ++i) text += "sks ";
  const auto [prompt, weights] = tokenize_weighted(ClipTokenizer::builtin(), text + ":2)");
  EXPECT_EQ(prompt.cut_off, "sks sks sks sks sks");
  EXPECT_EQ(std::count(weights.begin(), weights.end(), 2.0), 75);
  EXPECT_EQ(weights[76], 1.0);
}

TEST(PromptWeights, SyntaxOfOthersIsNoticed) {
  EXPECT_EQ(unread_syntax("a person <lora:anna_v2:0.8>, smiling", true), "<lora:anna_v2:0.8>");
  EXPECT_EQ(unread_syntax("a (smiling person:1.4) <lora:x>", false), "<lora:x>");
  EXPECT_EQ(unread_syntax("a (smiling person:1.4) here", false), "(smiling person:1.4)");
  EXPECT_EQ(unread_syntax("((a:1.2):.9)", false), "(a:1.2)");
  for (const char* plain :
       {"", ")", "a person (smiling)", ":)", "(:)", "at 10:30)", "1:2) (x", "<lora: x", "a < b > c", "(a:b)"})
    EXPECT_EQ(unread_syntax(plain, false), "") << plain;
  EXPECT_EQ(unread_syntax("a (smiling person:1.4)", true), "");
}

}  // namespace
}  // namespace w2w
