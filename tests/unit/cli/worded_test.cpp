#include "cli/terminal/worded.h"

#include <gtest/gtest.h>

namespace w2w::cli {
namespace {

TEST(Worded, NamesTheCommandLinesControls) {
  EXPECT_EQ(worded("use <dtype> bf16; <verify> checks the space (<size>, <output>)"),
            "use --dtype bf16; `w2w space verify` checks the space (-W, -H, -o)");
}

TEST(Worded, LeavesOtherBrackets) {
  for (const char* text : {"", "did you mean '<lora:anna:1>'?", "a < b > c", "<", ">", "<unknown>", "<dtype"})
    EXPECT_EQ(worded(text), text);
}

}  // namespace
}  // namespace w2w::cli
