// The compact form of a space (docs/formats.md): space.json, basis.safetensors, projections.safetensors.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "io/json_file.h"
#include "readers.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"

namespace w2w {

namespace fs = std::filesystem;
using nlohmann::json;

static void from_json(const json& j, Target& target) {
  j.at("name").get_to(target.module);
  j.at("in").get_to(target.in);
  j.at("out").get_to(target.out);
}

static void to_json(json& j, const Target& target) {
  j = {{"name", target.module}, {"in", target.in}, {"out", target.out}};
}

static void from_json(const json& j, SpaceDefaults& defaults) {
  const SpaceDefaults standard;
  defaults.prompt = j.value("prompt", standard.prompt);
  defaults.negative_prompt = j.value("negative_prompt", standard.negative_prompt);
  defaults.cfg_scale = j.value("cfg_scale", standard.cfg_scale);
  defaults.steps = j.value("steps", standard.steps);
  defaults.spread = j.value("spread", standard.spread);
  defaults.width = j.value("width", standard.width);
  defaults.height = j.value("height", standard.height);
}

static void to_json(json& j, const SpaceDefaults& defaults) {
  j = {{"prompt", defaults.prompt},       {"negative_prompt", defaults.negative_prompt},
       {"cfg_scale", defaults.cfg_scale}, {"steps", defaults.steps},
       {"spread", defaults.spread},       {"width", defaults.width},
       {"height", defaults.height}};
}

namespace {

constexpr int64_t format_version = 1;

at::Tensor take(const fs::path& path, TensorMap& tensors, const std::string& name, bool required = true) {
  const auto found = tensors.find(name);
  if (found != tensors.end() && found->second.is_floating_point()) return found->second;
  if (found == tensors.end() && !required) return {};
  throw Error(ErrorKind::malformed,
              fmt::format("expected a floating-point tensor '{}' ({}), found {}", name, path.string(),
                          found == tensors.end() ? "none" : "another type"));
}

at::Tensor optional_f32(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(at::kFloat) : tensor;
}

void read_basis(const fs::path& path, SpaceData& data) {
  auto tensors = read_safetensors(path).tensors;
  data.mean = take(path, tensors, "mean").to(at::kFloat);
  data.std = take(path, tensors, "std").to(at::kFloat);
  data.components = take(path, tensors, "components");
  data.projection_mean = optional_f32(take(path, tensors, "projection_mean", false));
  data.projection_std = optional_f32(take(path, tensors, "projection_std", data.projection_mean.defined()));
  data.explained_variance = optional_f32(take(path, tensors, "explained_variance", false));
  if (data.components.dim() != 2) {
    throw Error(ErrorKind::malformed, fmt::format("expected components [k, P] ({}), found [{}]",
                                                  path.string(), fmt::join(data.components.sizes(), ", ")));
  }
}

void read_projections(const fs::path& path, SpaceData& data) {
  auto file = read_safetensors(path);
  data.projections = take(path, file.tensors, "projections");
  if (data.projections.dim() != 2) {
    throw Error(ErrorKind::malformed, fmt::format("expected projections [n, k] ({}), found [{}]",
                                                  path.string(), fmt::join(data.projections.sizes(), ", ")));
  }
  if (!file.metadata.contains("names")) return;
  try {
    data.names = parse_json(file.metadata["names"]).get<std::vector<std::string>>();
  } catch (const json::exception& error) {
    throw Error(ErrorKind::malformed, fmt::format("expected a JSON list of texts as 'names' ({}): {}",
                                                  path.string(), json_reason(error)));
  }
}

/// Throws Error(malformed) when space.json says something else than the tensors.
void check_said(const fs::path& path, const char* field, const std::string& said, const std::string& found) {
  if (said == found) return;
  throw Error(ErrorKind::malformed,
              fmt::format("space.json and basis.safetensors disagree about '{}' ({}): expected {}, found {}",
                          field, path.string(), said, found));
}

}  // namespace

SpaceData read_compact_space(const fs::path& folder) {
  const auto path = folder / "space.json";
  const auto space = read_json_object(path);
  SpaceData data;
  read_basis(folder / "basis.safetensors", data);
  if (fs::exists(folder / "projections.safetensors")) {
    read_projections(folder / "projections.safetensors", data);
  }
  try {
    const auto& version = space.at("format");
    if (version != format_version && version != std::to_string(format_version)) {
      throw Error(ErrorKind::malformed,
                  fmt::format("space ({}) has format {}, this w2w reads format {}: a newer w2w wrote it",
                              path.string(), version.dump(), format_version));
    }
    data.base_model = space.value("base_model", "");
    data.model_layers = space.value("model_layers", int64_t{0});
    data.models = space.value("models", data.projections.defined() ? data.projections.size(0) : 0);
    data.defaults = space.value("defaults", SpaceDefaults{});
    data.total_variance = space.value("total_variance", 0.0);
    if (const auto build = space.find("build"); build != space.end()) data.build = build->dump();
    // What the file repeats of the tensors must agree with them.
    const auto check = [&](const char* field, const auto& found) {
      if (space.contains(field)) {
        const auto said = space.at(field).get<std::decay_t<decltype(found)>>();
        check_said(path, field, fmt::format("{}", said), fmt::format("{}", found));
      }
    };
    check("parameters", data.mean.numel());
    const auto modules = space.find("modules");
    data.rank = space.value("rank", int64_t{1});
    data.alpha = space.value("alpha", 27.0);
    if (modules != space.end()) {
      data.layout = Layout(modules->get<Targets>(), data.rank, data.alpha);
      check_said(path, "modules", fmt::format("{} parameters", data.layout->parameters()),
                 fmt::format("{} parameters", data.mean.numel()));
    }
    check("components", data.components.size(0));
    check("hash", Space(data, folder.string()).hash());
  } catch (const json::exception& error) {
    throw Error(ErrorKind::malformed, fmt::format("space ({}): {}", path.string(), json_reason(error)));
  }
  return data;
}

void write_space(const fs::path& folder, const SpaceData& data, c10::ScalarType dtype) {
  const Space space(data, folder.string());
  const auto& layout = space.layout();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::failure,
                fmt::format("cannot make folder ({}): {}", folder.string(), error.message()));
  }
  const auto& statistics = space.projection_statistics();
  TensorMap basis = {{"mean", data.mean},
                     {"std", data.std},
                     {"components", data.components.to(dtype).contiguous()},
                     {"projection_mean", statistics.mean},
                     {"projection_std", statistics.std}};
  if (data.explained_variance.defined()) basis["explained_variance"] = data.explained_variance;
  write_safetensors(folder / "basis.safetensors", basis, {});
  if (data.projections.defined()) {
    const Metadata names = data.names.empty() ? Metadata{} : Metadata{{"names", json_text(json(data.names))}};
    write_safetensors(folder / "projections.safetensors", {{"projections", data.projections}}, names);
  }
  json description = {{"format", format_version},
                      {"base_model", data.base_model},
                      {"hash", space.hash()},
                      {"rank", layout.rank()},
                      {"alpha", layout.alpha()},
                      {"parameters", space.parameters()},
                      {"components", space.components()},
                      {"models", data.models},
                      {"modules", layout.targets()},
                      {"defaults", data.defaults}};
  if (data.model_layers > 0) description["model_layers"] = data.model_layers;
  if (data.total_variance > 0) description["total_variance"] = data.total_variance;
  if (auto build = json::parse(data.build); !build.empty()) description["build"] = std::move(build);
  write_file(folder / "space.json", json_text(description, 1) + "\n");
}

}  // namespace w2w
