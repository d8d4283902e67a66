#pragma once
#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "w2w/engine/attributes.h"

namespace w2w::cli {

/// --labels, --directions, --components; `choice` must live as long as `parser` is used.
void add_attribute_options(CLI::App& parser, AttributeChoice& choice);

/// Error(usage) for options that contradict each other.
void check_attribute_options(const AttributeChoice& choice);

/// The same on a command line.
std::vector<std::string> attribute_arguments(const AttributeChoice& choice);

}  // namespace w2w::cli
