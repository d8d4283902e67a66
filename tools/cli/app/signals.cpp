#include "cli/app/signals.h"

#include <signal.h>

namespace w2w::cli {
namespace {

StopFlag stop;

void on_interrupt(int number) {
  stop.request();
  if (number != SIGHUP) signal(number, SIG_DFL);  // a closed terminal sends several
}

void hear(int number) {
  struct sigaction before {
  }, action{};
  if (sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) return;
  action.sa_handler = on_interrupt;  // without SA_RESTART: waiting for a terminal or pipe ends at once
  sigaction(number, &action, nullptr);
}

}  // namespace

const StopFlag& stop_by_signal() { return stop; }

void set_signal_handlers() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) hear(number);
  signal(SIGPIPE, SIG_DFL);  // `w2w ... | head` ends quietly
  signal(SIGXFSZ, SIG_IGN);  // EFBIG instead
}

}  // namespace w2w::cli
