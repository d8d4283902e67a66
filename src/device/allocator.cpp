#include "w2w/device/allocator.h"

#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace w2w {

void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int two_gigabytes = 2'000'000'000;
  mallopt(M_MMAP_THRESHOLD, two_gigabytes);
  mallopt(M_TRIM_THRESHOLD, two_gigabytes);
#endif
}

}  // namespace w2w
