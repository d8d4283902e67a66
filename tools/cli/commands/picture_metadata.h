#pragma once
// What a picture says of its making: "parameters", A1111's infotext, and "w2w", a JSON object
//   {"format": 1, "version": "0.1.0", "arguments": ["sample", "--identity-seed", "7", ...], "model": ...,
//   "prompt": ..., "seed": ...}
// whose arguments, given to this program, make the picture again.

#include <optional>
#include <string>
#include <vector>

#include "cli/terminal/reporter.h"
#include "w2w/io/tensor_file.h"
#include "w2w/pipeline/text_to_image.h"

namespace w2w::cli {

struct PictureFacts {
  TextToImageOptions options;          ///< width, height and sampler resolved
  std::string model;                   ///< its name, without folders
  std::vector<std::string> arguments;  ///< command, person, model and space; the options are added to them
  Json more = Json::object();          ///< facts about the person
};

Metadata picture_metadata(const PictureFacts& facts);

/// The pictures a contact sheet shows: every prompt with every seed.
struct SheetFacts {
  PictureFacts common;  ///< what the pictures share; prompts and seed are ignored
  std::vector<std::string> prompts, negative_prompts;  ///< one negative prompt a prompt
  std::vector<uint64_t> seeds;
};

/// "w2w" alone: the command that makes the sheet again.
Metadata sheet_metadata(const SheetFacts& facts);

/// "w2w sample --identity-seed 7 -p 'sks person' ..." of a picture's metadata, quoted for a shell; none if it
/// carries none.
std::optional<std::string> command_of(const Metadata& metadata);

}  // namespace w2w::cli
