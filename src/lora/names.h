#pragma once
// The names of LoRA tensors in the files of other tools, in both directions.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "w2w/lora/formats.h"
#include "w2w/lora/target.h"

namespace w2w {

enum class LoraPart { down, up, alpha };

/// The key the writers use.
std::string lora_key(LoraFormat format, const std::string& module, LoraPart part);

struct LoraKey {
  LoraFormat format;
  std::string module;
  LoraPart part;
};

/// Understands every spelling of keys for a given list of modules.
class LoraKeyReader {
 public:
  explicit LoraKeyReader(const Targets& modules);

  /// Nothing when no spelling or no module fits.
  std::optional<LoraKey> read(const std::string& key) const;

  /// A low-rank factor of any other matrix; `module` as the file spells it. Nothing for other kinds of
  /// tensors.
  static std::optional<LoraKey> read_other(const std::string& key);

  /// What to tell someone whose `key` was not understood.
  std::string hint(const std::string& key) const;

 private:
  std::map<std::string, std::string> dotted_, underscored_;  // as spelt -> module
  std::vector<std::string> modules_;
};

}  // namespace w2w
