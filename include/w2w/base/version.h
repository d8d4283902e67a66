#pragma once

namespace w2w {

/// w2w's own version, "0.1.0".
const char* version();

}  // namespace w2w
