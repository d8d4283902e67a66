#pragma once
// A person from outside: a file or folder of coefficients, or a LoRA of any tool.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "w2w/base/memory_file.h"
#include "w2w/base/run.h"
#include "w2w/lora/factors.h"
#include "w2w/lora/target.h"
#include "w2w/space/identity.h"

namespace w2w {

/// What is known of a person before any model is loaded.
struct PersonFile {
  std::string path;  ///< as open_person takes it: of one of many people FILE:NAME or FILE:ROW
  std::string stem;  ///< its own name: what outputs made from it are called after
  std::optional<Identity> coefficients;  ///< otherwise it is a LoRA
  std::optional<MemoryFile> bytes = {};  ///< what `path` stands for where it is no file on disk

  /// `stem` without the "_lora" that LoRAs of w2w end with.
  std::string person() const;
};

/// Error(not_found) when there is nothing at `path`; Error(malformed) for damaged coefficients. A LoRA is not
/// read yet. Of a file of many people (people_matrix.h) FILE:NAME or FILE:ROW is one; a file that has that
/// very name comes first. Error(usage) for another name, or for a file of several people without a choice.
PersonFile open_person(const std::string& path);

/// Everybody in a file of many people, in its order; of anything else the one person of open_person.
std::vector<PersonFile> open_people(const std::string& path);

/// Likewise of each of `paths`, one after the other.
std::vector<PersonFile> open_people(const std::vector<std::string>& paths);

/// The people of a folder in order of their files' names, or of a file as open_people. Coefficients alone
/// (.safetensors, .pt) count: others are named in a notice. Error(not_found) for a folder without any,
/// Error(usage) for a LoRA.
std::vector<PersonFile> open_coefficients(const std::string& folder_or_file, const Run& run = {});

/// The same of a file's bytes, as an upload brings them; `name` is what it was called.
PersonFile open_person(std::string_view bytes, const std::string& name);

/// Error(usage) for a LoRA, which has no place in the space before it is imported.
Identity read_coefficients(const PersonFile& person);

/// What a LoRA's metadata say of the person (w2w.*), without coefficients.
Identity describe_lora(const std::string& path);

/// The words that mean the person in a prompt; empty where they are not known, as of other tools' LoRAs.
std::string trigger_of(const PersonFile& person);

}  // namespace w2w
