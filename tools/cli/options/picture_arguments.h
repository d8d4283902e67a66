#pragma once
// The other way round: options as the command line that has them.

#include <string>
#include <vector>

#include "cli/options/model_options.h"
#include "w2w/io/tensor_file.h"
#include "w2w/pipeline/text_to_image.h"

namespace w2w::cli {

/// What one picture, or all of a contact sheet, were drawn of; one negative prompt a prompt.
struct PromptsAndSeeds {
  std::vector<std::string> prompts, negative_prompts;
  std::vector<uint64_t> seeds;
};

/// `options` resolved; its own prompts and seed do not count.
std::vector<std::string> picture_arguments(const TextToImageOptions& options, const PromptsAndSeeds& drawn);

/// Those that decide what is drawn, as they were given.
std::vector<std::string> model_arguments(const ModelOptions& options);

/// "w2w sample --identity-seed 7 -p 'sks person' ...", quoted for a shell.
std::string command_line(const std::vector<std::string>& arguments);

}  // namespace w2w::cli
