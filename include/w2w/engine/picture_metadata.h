#pragma once
// What a picture says of its making: "parameters", A1111's infotext, and "w2w", a JSON object
//   {"format": 1, "version": "0.1.0", "arguments": ["sample", "--identity-seed", "7", ...], "model": ...,
//   "prompt": ..., "seed": ...}
// whose arguments, given to the program, make the picture again.

#include <optional>
#include <string>
#include <vector>

#include "w2w/engine/pictures.h"
#include "w2w/io/tensor_file.h"

namespace w2w {

struct PictureFacts {
  TextToImageOptions options;          ///< width, height and sampler resolved
  std::string model;                   ///< its name, without folders
  std::vector<std::string> arguments;  ///< the whole command, worded by the front end
  std::string more = "{}";             ///< JSON object: facts about the person
};

Metadata picture_metadata(const PictureFacts& facts);

/// "w2w" alone, of the command that makes a contact sheet again; its pictures differ in prompt and seed.
Metadata sheet_metadata(const PictureFacts& facts);

/// The prompt in a picture's metadata; none if it carries none.
std::optional<std::string> prompt_in(const Metadata& metadata);

/// The arguments in a picture's metadata; none if it carries none.
std::optional<std::vector<std::string>> arguments_in(const Metadata& metadata);

}  // namespace w2w
