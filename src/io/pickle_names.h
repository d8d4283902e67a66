#pragma once
#include <string>

namespace w2w {

/// The full name of a global: modules of Python 2, old numpy and pandas 3 under the names of the list.
std::string pickle_global_name(std::string module, const std::string& name);

/// Whether a pickle may use this name. All of them are recorded, none is called.
bool is_allowed_in_pickles(const std::string& full_name);

}  // namespace w2w
