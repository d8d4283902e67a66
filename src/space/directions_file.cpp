#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "io/json_file.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"
#include "w2w/space/direction.h"

namespace w2w {
namespace {

using nlohmann::json;

constexpr const char* format_version = "1";

constexpr std::array<std::pair<const char*, double HeldOutScore::*>, 4> score_members = {
    {{"accuracy", &HeldOutScore::accuracy},
     {"balanced_accuracy", &HeldOutScore::balanced_accuracy},
     {"majority", &HeldOutScore::majority},
     {"auc", &HeldOutScore::auc}}};

json held_out_json(const HeldOut& held_out) {
  auto scores = json::array();
  for (const auto& score : held_out.scores) {
    auto& entry = scores.emplace_back();
    if (!score) continue;
    entry["models"] = score->models;
    for (const auto& [name, value] : score_members) entry[name] = (*score).*value;
  }
  return {{"share", held_out.holdout.share},
          {"seed", held_out.holdout.seed},
          {"models", held_out.models},
          {"scores", scores}};
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path), file_(read_safetensors(path)) {}

  Directions read() {
    if (const auto version = metadata("w2w.format"); version != format_version) {
      fail(fmt::format("expected format {}, found {}", format_version, version));
    }
    Directions result;
    result.space_hash = metadata("w2w.space");
    if (has("w2w.basis")) result.basis = metadata("w2w.basis");
    result.attributes = names("w2w.attributes");
    if (has("w2w.without")) result.without = names("w2w.without");
    if (has("w2w.method")) result.method = metadata("w2w.method");
    if (has("w2w.penalty")) result.penalty = number("w2w.penalty");
    const auto count = static_cast<int64_t>(result.attributes.size());
    if (has("w2w.held_out")) result.held_out = held_out(result.attributes.size());
    if (count == 0) fail("it names no attributes");
    if (std::set(result.attributes.begin(), result.attributes.end()).size() != result.attributes.size()) {
      fail("it names an attribute twice");
    }
    const auto& vectors = tensor("directions", at::kFloat);
    if (vectors.dim() != 2 || vectors.size(1) == 0) fail_shape("directions", {count, 1000}, vectors);
    result.vectors = shaped("directions", at::kFloat, {count, vectors.size(1)}).to(at::kDouble);
    result.covariance = shaped("covariance", at::kDouble, {count, count}).clone();
    result.largest = shaped("largest", at::kDouble, {count}).clone();
    if (file_.tensors.contains("smallest")) {
      result.smallest = shaped("smallest", at::kDouble, {count}).clone();
    }
    result.counts = shaped("counts", at::kLong, {count, 2}).clone();
    if (!(result.covariance.diagonal() > 0).all().item<bool>())
      fail("'covariance' has a variance below zero");
    if (!(result.vectors.norm(2, 1) > 0).all().item<bool>()) fail("a direction is zero");
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed,
                fmt::format("not a readable directions file ({}): {}", path_.string(), what));
  }
  [[noreturn]] void fail_shape(const char* name, at::IntArrayRef shape, const at::Tensor& found) const {
    fail(fmt::format("expected '{}' [{}], found [{}]", name, fmt::join(shape, ", "),
                     fmt::join(found.sizes(), ", ")));
  }

  std::string metadata(const std::string& key) const {
    const auto found = file_.metadata.find(key);
    if (found == file_.metadata.end()) fail(fmt::format("its header lacks '{}'", key));
    return found->second;
  }

  bool has(const std::string& key) const { return file_.metadata.contains(key); }

  std::vector<std::string> names(const std::string& key) const {
    try {
      return parse_json(metadata(key)).get<std::vector<std::string>>();
    } catch (const json::exception& error) {
      fail(fmt::format("expected a JSON list of names as '{}': {}", key, json_reason(error)));
    }
  }

  HeldOut held_out(size_t attributes) const {
    try {
      const auto found = parse_json(metadata("w2w.held_out"));
      HeldOut result{{found.at("share").get<double>(), found.at("seed").get<uint64_t>()},
                     found.at("models").get<int64_t>(),
                     {}};
      for (const auto& score : found.at("scores")) {
        auto& to = result.scores.emplace_back();
        if (score.is_null()) continue;
        to.emplace();
        to->models = score.at("models").get<int64_t>();
        for (const auto& [name, value] : score_members) (*to).*value = share(score.at(name).get<double>());
      }
      if (result.scores.size() != attributes)
        fail(fmt::format("expected {} scores as 'w2w.held_out', found {}", attributes, result.scores.size()));
      return result;
    } catch (const json::exception& error) {
      fail(fmt::format("expected the results of a test as 'w2w.held_out': {}", json_reason(error)));
    }
  }

  double share(double value) const {
    if (!(value >= 0 && value <= 1))
      fail(fmt::format("expected scores from 0 to 1 as 'w2w.held_out', found {}", value));
    return value;
  }

  double number(const std::string& key) const {
    const auto text = metadata(key);
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
      fail(fmt::format("expected a number as '{}', found '{}'", key, text));
    }
    return value;
  }

  const at::Tensor& tensor(const char* name, at::ScalarType dtype) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) fail(fmt::format("it lacks the tensor '{}'", name));
    if (found->second.scalar_type() != dtype) {
      fail(fmt::format("expected '{}' of {}, found {}", name, c10::toString(dtype),
                       c10::toString(found->second.scalar_type())));
    }
    return found->second;
  }

  const at::Tensor& shaped(const char* name, at::ScalarType dtype, at::IntArrayRef shape) const {
    const auto& values = tensor(name, dtype);
    if (values.sizes() != shape) fail_shape(name, shape, values);
    if (!at::isfinite(values).all().item<bool>()) fail(fmt::format("'{}' is not finite everywhere", name));
    return values;
  }

  const std::filesystem::path& path_;
  TensorFile file_;
};

}  // namespace

void write_directions(const OutputPath& output, const Directions& directions) {
  TensorMap tensors = {{"directions", directions.vectors.to(at::kFloat).contiguous()},
                       {"covariance", directions.covariance.contiguous()},
                       {"largest", directions.largest.contiguous()},
                       {"counts", directions.counts.contiguous()}};
  if (directions.smallest.defined()) tensors["smallest"] = directions.smallest.contiguous();
  Metadata metadata = {{"w2w.format", format_version},
                       {"w2w.space", directions.space_hash},
                       {"w2w.attributes", json_text(json(directions.attributes))},
                       {"w2w.method", directions.method}};
  if (!directions.basis.empty()) metadata["w2w.basis"] = directions.basis;
  if (directions.penalty) metadata["w2w.penalty"] = fmt::format("{}", *directions.penalty);
  if (!directions.without.empty()) metadata["w2w.without"] = json_text(json(directions.without));
  if (directions.held_out) metadata["w2w.held_out"] = json_text(held_out_json(*directions.held_out));
  write_safetensors(output, tensors, metadata);
}

Directions read_directions(const std::filesystem::path& path, const Space& space) {
  auto directions = Reader(path).read();
  if (directions.space_hash != space.hash() || directions.components() > space.components()) {
    throw Error(
        ErrorKind::failure,
        fmt::format("directions ({}) belong to another space: expected space {} with {} components, as "
                    "in {}, found {} with {}",
                    path.string(), space.hash().substr(0, 16), space.components(), space.origin(),
                    directions.space_hash.substr(0, 16), directions.components()),
        "give the <space> they were made with");
  }
  if (!directions.basis.empty() && !space.basis().empty() && directions.basis != space.basis()) {
    throw Error(ErrorKind::failure,
                fmt::format("directions ({}) belong to another space of the same models: expected components "
                            "found by {}, as in {}, found {}",
                            path.string(), space.basis(), space.origin(), directions.basis),
                "give the <space> they were made with");
  }
  return directions;
}

}  // namespace w2w
