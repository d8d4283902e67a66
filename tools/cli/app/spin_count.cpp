// Threads that wait for each other at the end of a parallel loop spin first and sleep later. libgomp's
// default, some 10 ms, is right on an idle machine; beside a neighbour it burns the very time the other
// thread needs: eight pictures of the demo world then took up to ten times as long. libgomp reads its
// settings when it is loaded, before main and before any constructor of this program, so they have to be in
// the environment by then: the program starts itself again with GOMP_SPINCOUNT set, before the libraries'
// constructors have run, which costs some 15 ms.

#include <alloca.h>
#include <unistd.h>

#include <climits>
#include <cstddef>
#include <cstring>

namespace {

// About half a millisecond.
char setting[] = "GOMP_SPINCOUNT=10000";
constexpr const char* choices[] = {"GOMP_SPINCOUNT=", "OMP_WAIT_POLICY="};

/// Whether the user has said how threads wait. Nothing of the C library that needs its own start-up is used
/// here.
bool is_chosen(char** environment) {
  for (char** entry = environment; *entry; ++entry) {
    for (const char* name : choices) {
      if (std::strncmp(*entry, name, std::strlen(name)) == 0) return true;
    }
  }
  return false;
}

void limit_spinning(int, char** arguments, char** environment) {
  if (is_chosen(environment)) return;
  size_t count = 0;
  while (environment[count]) ++count;
  auto** with_setting = static_cast<char**>(alloca((count + 2) * sizeof(char*)));
  std::memcpy(with_setting, environment, count * sizeof(char*));
  with_setting[count] = setting;
  with_setting[count + 1] = nullptr;
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (length <= 0) return;
  path[length] = '\0';
  execve(path, arguments, with_setting);  // where it fails, threads wait as they always did
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const before_libraries)(int, char**,
                                                                             char**) = limit_spinning;

}  // namespace
