#include "w2w/base/file_descriptor.h"

#include <unistd.h>

namespace w2w {

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) close(number_);
}

}  // namespace w2w
