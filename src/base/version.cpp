#include "w2w/base/version.h"

namespace w2w {

const char* version() { return W2W_VERSION; }

}  // namespace w2w
