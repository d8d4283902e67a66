#pragma once
// w2w_probe runs single parts of the library on files, for tests/parity. Each file here adds its commands:
//   int resample(std::span<char* const> arguments) {...}   // what follows the command's name
//   W2W_PROBE("resample", resample);

#include <span>

namespace w2w::probe {

using Command = int (*)(std::span<char* const> arguments);

struct Registration {
  Registration(const char* name, Command command);
};

}  // namespace w2w::probe

#define W2W_PROBE(name, function) \
  static const w2w::probe::Registration registration_##function(name, function)
