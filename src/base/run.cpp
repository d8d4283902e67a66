#include "w2w/base/run.h"

#include "w2w/base/error.h"

namespace w2w {

void Run::check_stop() const {
  if (stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
}

}  // namespace w2w
