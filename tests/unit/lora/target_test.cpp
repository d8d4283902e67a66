#include "w2w/lora/target.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace w2w {
namespace {

const Targets linears = {{"up_blocks.1.attn2.to_v", 768, 320},  {"mid_block.attn1.to_q", 4, 4},
                         {"mid_block.attn1.to_k", 4, 4},        {"mid_block.attn1.not_to_q", 4, 4},
                         {"down_blocks.0.attn1.to_v", 4, 4},    {"down_blocks.0.attn1.to_q", 4, 4},
                         {"down_blocks.0.attn1.to_out.0", 4, 4}};

TEST(AttentionTargets, AreSortedQueriesAndValues) {
  const Targets expected = {{"down_blocks.0.attn1.to_q", 4, 4},
                            {"down_blocks.0.attn1.to_v", 4, 4},
                            {"mid_block.attn1.to_q", 4, 4},
                            {"up_blocks.1.attn2.to_v", 768, 320}};
  EXPECT_EQ(attention_targets(linears), expected);
  EXPECT_EQ(attention_targets(linears, {"to_k"}), (Targets{{"mid_block.attn1.to_k", 4, 4}}));
  test::expect_error(ErrorKind::failure, "the model has no linear layers named query or value among its 7",
                     [] {
                       attention_targets(linears, {"query", "value"});
                     });
}

TEST(CheckSameTargets, NamesTheFirstDifference) {
  const Targets made_for = {{"a.to_q", 4, 4}, {"b.to_q", 4, 8}};
  EXPECT_NO_THROW(check_same_targets(made_for, made_for, "space (x)"));
  test::expect_error(
      ErrorKind::failure,
      "space (x) was made for another model: it changes 2 matrices, this model has 2; the first "
      "difference: expected b.to_q [8, 4], found b.to_q [16, 4]",
      [&] {
        check_same_targets(made_for, {{"a.to_q", 4, 4}, {"b.to_q", 4, 16}}, "space (x)");
      });
  test::expect_error(ErrorKind::failure, "expected b.to_q [8, 4], found none", [&] {
    check_same_targets(made_for, {{"a.to_q", 4, 4}}, "space (x)");
  });
  test::expect_error(ErrorKind::failure, "expected none, found c.to_q [4, 4]", [&] {
    check_same_targets(made_for, {{"a.to_q", 4, 4}, {"b.to_q", 4, 8}, {"c.to_q", 4, 4}}, "space (x)");
  });
}

TEST(CheckTargetsOf, ASpaceMayChangeAnyLayers) {
  const auto check = [](const Targets& made_for, int64_t layers) {
    check_targets_of(made_for, linears, layers, "space (x)");
  };
  EXPECT_NO_THROW(check(attention_targets(linears), 0));
  EXPECT_NO_THROW(check({{"down_blocks.0.attn1.to_out.0", 4, 4}, {"mid_block.attn1.to_k", 4, 4}}, 0));
  const Targets part = {{"down_blocks.0.attn1.to_q", 4, 4}};
  EXPECT_NO_THROW(check(part, 7));
  test::expect_error(ErrorKind::failure, "expected none, found mid_block.attn1.to_q [4, 4]",
                     [&] { check(part, 0); });
  test::expect_error(ErrorKind::failure, "expected one of 8 linear layers, found 7", [&] { check(part, 8); });
  for (const int64_t layers : {0, 7}) {
    test::expect_error(ErrorKind::failure, "expected a.to_q [4, 4], found none", [&] {
      check({{"a.to_q", 4, 4}}, layers);
    });
  }
}

}  // namespace
}  // namespace w2w
