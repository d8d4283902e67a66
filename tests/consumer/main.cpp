#include <iostream>

#include "w2w/base/sha256.h"
#include "w2w/text/clip_tokenizer.h"

int main() {
  std::cout << w2w::Sha256().update("abc", 3).hex() << '\n';
  for (const auto id : w2w::ClipTokenizer::builtin().encode("a photo of a cat")) std::cout << id << ' ';
  std::cout << '\n';
}
