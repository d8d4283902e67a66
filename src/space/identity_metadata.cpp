#include "space/identity_metadata.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "w2w/base/error.h"

namespace w2w {
namespace {

constexpr const char* format_version = "1";

void take(const Metadata& metadata, const char* key, std::string& value) {
  if (const auto found = metadata.find(key); found != metadata.end()) value = found->second;
}

}  // namespace

Metadata metadata_of(const Identity& identity) {
  Metadata metadata = {{"w2w.format", format_version},
                       {"w2w.space", identity.space_hash},
                       {"w2w.model", identity.model},
                       {"w2w.history", identity.history},
                       {"w2w.trigger", identity.trigger}};
  if (!identity.basis.empty()) metadata["w2w.basis"] = identity.basis;
  return metadata;
}

void take_metadata(Identity& identity, const Metadata& metadata, const std::filesystem::path& path) {
  std::string version = format_version;
  take(metadata, "w2w.format", version);
  if (version != format_version) {
    throw Error(ErrorKind::malformed,
                fmt::format("identity ({}) has format {}, this w2w reads format {}: a newer w2w wrote it",
                            path.string(), version, format_version));
  }
  take(metadata, "w2w.space", identity.space_hash);
  take(metadata, "w2w.basis", identity.basis);
  take(metadata, "w2w.model", identity.model);
  take(metadata, "w2w.history", identity.history);
  take(metadata, "w2w.trigger", identity.trigger);
}

void check_finite_to_write(const at::Tensor& coefficients, const std::filesystem::path& output) {
  if (at::isfinite(coefficients).all().item<bool>()) return;
  throw Error(ErrorKind::failure,
              fmt::format("the person has coefficients that are not finite ({})", output.string()),
              "<verify> checks the space");
}

}  // namespace w2w
