#include "w2w/space/identity.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "space/identity_metadata.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"
#include "w2w/space/space.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

constexpr const char* reference_file = "w2wmodel.pt";

/// The reference saves a person as w2wmodel.pt in a folder of its own.
fs::path file_of(const fs::path& path) { return fs::is_directory(path) ? path / reference_file : path; }

/// The one tensor of coefficients: by its name in safetensors, without a name in torch files.
const at::Tensor* coefficients_in(const TensorFile& file) {
  const auto found = file.tensors.find(file.format == "torch" ? "" : coefficients_tensor);
  return found == file.tensors.end() ? nullptr : &found->second;
}

std::string first_names(const TensorMap& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    if (names.size() == 3) break;
    names.push_back("'" + name + "'");
  }
  return fmt::format("{}{}", fmt::join(names, ", "), names.size() < tensors.size() ? ", ..." : "");
}

}  // namespace

bool is_identity(const fs::path& path) {
  try {
    return coefficients_in(read_tensor_file(file_of(path))) != nullptr;
  } catch (const Error&) {
    return false;
  }
}

Identity read_identity(const fs::path& given) {
  if (!fs::exists(given)) {
    throw Error(ErrorKind::not_found, fmt::format("no such identity ({})", given.string()));
  }
  const auto path = file_of(given);
  if (!fs::exists(path)) {
    throw Error(ErrorKind::not_found,
                fmt::format("no identity in this folder ({}): expected {}", given.string(), reference_file));
  }
  const auto file = read_tensor_file(path);
  const auto* values = coefficients_in(file);
  if (!values) {
    throw Error(ErrorKind::malformed,
                fmt::format("not an identity ({}): expected a tensor '{}', found {}", path.string(),
                            coefficients_tensor, first_names(file.tensors)));
  }
  const bool row = values->dim() == 2 && values->size(0) == 1;
  if (!(values->dim() == 1 || row) || values->numel() == 0 || !values->is_floating_point()) {
    throw Error(ErrorKind::malformed,
                fmt::format("expected coefficients [k] ({}), found [{}] of {}", path.string(),
                            fmt::join(values->sizes(), ", "), c10::toString(values->scalar_type())));
  }
  Identity identity;
  identity.coefficients = values->reshape({-1}).to(at::kFloat, false, /*copy=*/true);
  if (!at::isfinite(identity.coefficients).all().item<bool>()) {
    throw Error(ErrorKind::malformed, fmt::format("coefficients are not all finite ({})", path.string()));
  }
  take_metadata(identity, file.metadata, path);
  return identity;
}

void write_identity(const OutputPath& output, const Identity& identity) {
  const auto values = identity.coefficients.to(at::kCPU, at::kFloat).contiguous();
  check_finite_to_write(values, output.path);
  const auto extension = output.path.extension();
  if (extension == ".pt" || extension == ".PT") return write_torch_tensor(output, values.view({1, -1}));
  write_safetensors(output, {{coefficients_tensor, values}}, metadata_of(identity));
}

void set_space(Identity& identity, const Space& space) {
  identity.space_hash = space.hash();
  identity.basis = space.basis();
}

void check_identity_fits(const Identity& identity, const Space& space, const std::string& name) {
  constexpr const char* hint = "give the <space> it was made with";
  if (!identity.space_hash.empty() && identity.space_hash != space.hash()) {
    throw Error(
        ErrorKind::failure,
        fmt::format("identity ({}) belongs to another space: expected space {}, as in {}, found {}", name,
                    space.hash().substr(0, 16), space.origin(), identity.space_hash.substr(0, 16)),
        hint);
  }
  if (!identity.basis.empty() && !space.basis().empty() && identity.basis != space.basis()) {
    throw Error(ErrorKind::failure,
                fmt::format("identity ({}) belongs to another space of the same models: expected components "
                            "found by {}, as in "
                            "{}, found {}",
                            name, space.basis(), space.origin(), identity.basis),
                hint);
  }
  if (identity.coefficients.numel() > space.components()) {
    throw Error(
        ErrorKind::failure,
        fmt::format(
            "identity ({}) belongs to another space: expected at most {} coefficients, as in {}, found {}",
            name, space.components(), space.origin(), identity.coefficients.numel()),
        hint);
  }
}

}  // namespace w2w
