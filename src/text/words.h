#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace w2w {

/// CLIP's normalisation: composed characters (NFC), then each character in lower case by itself (so capital
/// sigma is always the middle one, and U+0130 becomes i + U+0307). Bytes that are not UTF-8 become U+FFFD.
/// White space stays as it is: collapsing it changes nothing, for it only separates words.
std::string normalize_text(std::string_view text);

/// Calls `word` with each piece of normalised text that BPE treats on its own, the matches of
///   <|startoftext|> | <|endoftext|> | 's | 't | 're | 've | 'm | 'll | 'd | letters | one number character |
///   other characters
/// where white space lies between. The first two are cut once more, at their bars, as transformers does.
void for_each_word(std::string_view text, const std::function<void(std::string_view)>& word);

/// Whether a character of words stands at the text's beginning or end: regular expressions' \w by Unicode,
/// which is what is alphabetic, a mark, a decimal digit, a connector or a joiner.
bool starts_with_word(std::string_view text);
bool ends_with_word(std::string_view text);

}  // namespace w2w
