#include "w2w/io/pickle.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace w2w {
namespace {

using test::expect_error;

Value read(std::string_view bytes) { return read_pickle(bytes, "file.pt"); }

/// A string literal with its zero bytes.
template <size_t N>
std::string raw(const char (&literal)[N]) {
  return {literal, N - 1};
}

const std::string start = "\x80\x02";

std::string repeated(const std::string& text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

TEST(Pickle, Numbers) {
  EXPECT_EQ(read(start + "K\xff.").integer(), 255);
  EXPECT_EQ(read(start + "M\xff\x01.").integer(), 511);
  EXPECT_EQ(read(start + "J\xfe\xff\xff\xff.").integer(), -2);
  EXPECT_EQ(read(start + raw("\x8a\x00.")).integer(), 0);
  EXPECT_EQ(read(start + "\x8a\x01\x80.").integer(), -128);
  EXPECT_EQ(read(start + raw("\x8a\x05\x00\x00\x00\x00\x01.")).integer(), int64_t{1} << 32);
  EXPECT_EQ(read(start + raw("\x8b\x02\x00\x00\x00\xff\x00.")).integer(), 255);
  EXPECT_EQ(read(start + raw("G\xbf\xe0\x00\x00\x00\x00\x00\x00.")).number(), -0.5);
  EXPECT_EQ(read(start + "\x88.").integer(), 1);
  EXPECT_TRUE(read(start + "N.").is_null());
}

TEST(Pickle, BytesArriveAsLatin1Text) {  // _codecs.encode("\x00\xff", "latin1")
  const Value value =
      read(start + "c_codecs\nencode\n" + raw("X\x03\x00\x00\x00\x00\xc3\xbfX\x06\x00\x00\x00latin1\x86R."));
  ASSERT_TRUE(value.bytes());
  EXPECT_EQ(*value.bytes(), raw("\x00\xff"));
}

TEST(Pickle, SharedListsStayShared) {  // [x, x] with x = []
  const Value value = read(start + raw("]q\x00(]q\x01h\x01"
                                       "e."));
  ASSERT_TRUE(value.list());
  ASSERT_EQ(value.list()->size(), 2U);
  EXPECT_EQ(value.list()->at(0).address(), value.list()->at(1).address());
}

TEST(Pickle, LastOfRepeatedKeysCounts) {  // {"a": 1, "a": 2}
  const Value value = read(start +
                           "}(U\x01"
                           "aK\x01U\x01"
                           "aK\x02u.");
  ASSERT_TRUE(value.dict());
  EXPECT_EQ(value.dict()->find("a")->integer(), 2);
  EXPECT_EQ(value.dict()->find("b"), nullptr);
}

TEST(Pickle, AdvancesPastItself) {
  const std::string two = start + "K\x01." + start + "K\x02.";
  std::string_view rest = two;
  EXPECT_EQ(read_pickle(rest, "f").integer(), 1);
  EXPECT_EQ(read_pickle(rest, "f").integer(), 2);
  EXPECT_TRUE(rest.empty());
}

TEST(Pickle, DepthIsBounded) {
  EXPECT_TRUE(read(start + repeated("(", 100) + repeated("t", 100) + ".").list());
  for (const size_t depth : {102, 1'000'000})
    expect_error(ErrorKind::malformed, "nested deeper than 100",
                 [&] { read(start + repeated("(", depth) + repeated("t", depth) + "."); });
  // Deep data that are thrown away must not overflow the stack either.
  EXPECT_TRUE(read(start + repeated("(", 1'000'000) + repeated("t", 1'000'000) + "0N.").is_null());
}

TEST(Pickle,
     ExpandedSizeIsBounded) {  // l1 = [l0] * 10, l2 = [l1] * 10, ...: ten lists that print as 10^10 items
  std::string bytes = start + raw("]q\x00");
  for (char level = 0; level < 10; ++level) {
    bytes += "](";
    for (int i = 0; i < 10; ++i) bytes += std::string("h") + level;
    bytes += std::string("eq") + static_cast<char>(level + 1);
  }
  expect_error(ErrorKind::malformed, "expands to more than", [&] { read(bytes + "."); });
}

struct Malicious {
  const char* what;
  std::string program;  // after the protocol
  const char* error;
};

class PickleMalicious : public testing::TestWithParam<Malicious> {};

TEST_P(PickleMalicious, IsRefusedWithTheReason) {
  expect_error(ErrorKind::malformed, "(file.pt)", [] { read(start + GetParam().program); });
  expect_error(ErrorKind::malformed, GetParam().error, [] { read(start + GetParam().program); });
}

INSTANTIATE_TEST_SUITE_P(
    Table, PickleMalicious,
    testing::Values(
        Malicious{"system",
                  "cos\nsystem\nU\x02"
                  "ls\x85R.",
                  "uses 'os.system', which is not on the list"},
        Malicious{"posix",
                  "cposix\nsystem\nU\x02"
                  "ls\x85R.",
                  "uses 'posix.system'"},
        Malicious{"eval",
                  "cbuiltins\neval\nU\x01"
                  "1\x85R.",
                  "uses 'builtins.eval'"},
        Malicious{"old_eval",
                  "c__builtin__\neval\nU\x01"
                  "1\x85R.",
                  "uses 'builtins.eval'"},
        Malicious{"getattr",
                  "U\x08"
                  "builtinsU\x07getattr\x93.",
                  "uses 'builtins.getattr'"},
        Malicious{"dotted", "U\x05torchU\x08hub.load\x93.", "uses 'torch.hub.load'"},
        Malicious{"name_is_number", "K\x01K\x02\x93.", "a name is not text"},
        Malicious{"unfinished_name", "ctorch\nSi", "ends within a name"},
        Malicious{"unknown_opcode", "\xff.", "unknown opcode 0xff at byte 2"},
        Malicious{"instance", "(itorch\nSize\n.", "unknown opcode 0x69"},
        Malicious{"extension", "\x82\x01.", "unknown opcode 0x82"},
        Malicious{"empty_stack", ".", "stack is empty at byte 2"},
        Malicious{"tuple_underflow", "K\x01\x86.", "stack is empty at byte 4"},
        Malicious{"pop_below_mark", "K\x01(0.", "stack is empty at byte 5"},
        Malicious{"no_mark", "K\x01t.", "stack has no mark at byte 4"},
        Malicious{"memo_miss", "h\x07.", "recalls memo 7, which was never stored"},
        Malicious{"memo_of_nothing", "q\x01.", "stack is empty"},
        Malicious{"huge_text",
                  "X\xff\xff\xff\xff"
                  "a.",
                  "needs 4294967295 bytes at 7, but ends at 9"},
        Malicious{"huge_text_64", "\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
                  "needs 18446744073709551615 bytes"},
        Malicious{"huge_integer", "\x8b\xff\xff\xff\xff.", "needs 4294967295 bytes"},
        Malicious{"append_to_number",
                  "K\x01K\x01"
                  "a.",
                  "appends to the number 1"},
        Malicious{"item_of_list", "]K\x01K\x01s.", "sets items of a list of 0"},
        Malicious{"odd_items", "}(K\x01u.", "a key without a value"},
        Malicious{"call_of_text",
                  "U\x01"
                  "a)R.",
                  "calls the text 'a'"},
        Malicious{"call_of_result", "ctorch\nSize\n)R)R.", "calls a torch.Size"},
        Malicious{"call_without_tuple", "ctorch\nSize\nK\x01R.", "calls torch.Size with the number 1"},
        Malicious{"state_of_class", "ctorch\nSize\n}b.", "sets the state of a torch.Size"},
        Malicious{"state_of_number", "K\x01}b.", "sets the state of the number 1"},
        Malicious{"encode_other",
                  "c_codecs\nencode\nU\x01"
                  "aU\x05"
                  "utf-8\x86R.",
                  "in another way than latin1"},
        Malicious{"encode_wide", "c_codecs\nencode\n" + raw("X\x02\x00\x00\x00\xd0\x90U\x06latin1\x86R."),
                  "code points above 255"},
        Malicious{"list_in_itself",
                  raw("]q\x00h\x00"
                      "a."),
                  "contains itself"},
        Malicious{"dict_in_itself", raw("}q\x00K\x01h\x00s."), "contains itself"},
        Malicious{"tuple_in_its_list",
                  raw("]q\x00h\x00\x85q\x01"
                      "ah\x01."),
                  "contains itself"},
        Malicious{"object_in_its_state",
                  "ctorch\nSize\n)R" + raw("q\x00h\x00"
                                           "b."),
                  "contains itself"},
        Malicious{"no_stop", "K\x01", "needs 1 bytes at 4, but ends at 4"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(Pickle, ProtocolIsChecked) {
  expect_error(ErrorKind::malformed, "does not begin with a protocol", [] { read("I1\n."); });
  expect_error(ErrorKind::malformed, "protocol is 6, expected 2 to 5", [] { read("\x80\x06N."); });
  expect_error(ErrorKind::malformed, "needs 1 bytes", [] { read(""); });
}

}  // namespace
}  // namespace w2w
