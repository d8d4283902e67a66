#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "probe.h"
#include "w2w/base/error.h"

namespace w2w::probe {
namespace {

std::map<std::string, Command>& commands() {
  static std::map<std::string, Command> table;
  return table;
}

}  // namespace

Registration::Registration(const char* name, Command command) { commands()[name] = command; }

}  // namespace w2w::probe

int main(int argc, char** argv) {
  const auto& commands = w2w::probe::commands();
  const auto command = argc > 1 ? commands.find(argv[1]) : commands.end();
  if (command == commands.end()) {
    std::fprintf(stderr, "usage: w2w_probe COMMAND ARGUMENTS...\n");
    for (const auto& [name, function] : commands) std::fprintf(stderr, "  %s\n", name.c_str());
    return static_cast<int>(w2w::ErrorKind::usage);
  }
  try {
    return command->second(std::span<char* const>(argv + 2, argv + argc));
  } catch (const w2w::Error& error) {
    std::fprintf(stderr, "w2w: error: %s\n", error.what());
    if (!error.hint().empty()) std::fprintf(stderr, "hint: %s\n", error.hint().c_str());
    return error.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "w2w: internal error: %s\n", error.what());
    return static_cast<int>(w2w::ErrorKind::failure);
  }
}
