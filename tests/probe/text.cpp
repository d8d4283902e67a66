#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "probe.h"
#include "w2w/base/error.h"
#include "w2w/text/clip_tokenizer.h"

namespace w2w::probe {
namespace {

ClipTokenizer load(const char* source) {
  return std::string_view(source) == "builtin" ? ClipTokenizer::builtin()
                                               : ClipTokenizer::from_folder(source);
}

void print(const std::vector<int64_t>& ids, char end) {
  for (size_t i = 0; i < ids.size(); ++i) std::printf(i ? " %lld" : "%lld", static_cast<long long>(ids[i]));
  std::putchar(end);
}

/// tokens FOLDER|builtin FILE: for each text in FILE (each ends with byte FF, which UTF-8 has no use for) a
/// line: all ids of the text, a tab, the ids as the text encoder takes them.
int tokens(std::span<char* const> arguments) {
  if (arguments.size() != 2) throw Error(ErrorKind::usage, "tokens FOLDER|builtin FILE");
  const auto tokenizer = load(arguments[0]);
  std::ifstream file(arguments[1], std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  for (std::string_view rest = bytes; !rest.empty();) {
    const auto text = rest.substr(0, rest.find('\xFF'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    const auto ids = tokenizer.encode(text);
    print(ids, '\t');
    print(tokenizer.frame(ids).ids, '\n');
  }
  return 0;
}

/// tokens-load FOLDER|builtin: milliseconds to load the vocabulary, five times.
int tokens_load(std::span<char* const> arguments) {
  if (arguments.size() != 1) throw Error(ErrorKind::usage, "tokens-load FOLDER|builtin");
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    load(arguments[0]);
    std::printf("%.1f\n",
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return 0;
}

W2W_PROBE("tokens", tokens);
W2W_PROBE("tokens-load", tokens_load);

}  // namespace
}  // namespace w2w::probe
