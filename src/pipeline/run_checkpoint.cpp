#include "w2w/pipeline/run_checkpoint.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "w2w/base/error.h"
#include "w2w/base/generator.h"

namespace w2w {
namespace {

const std::string prefix = "run.";

constexpr const char* start_over = "delete it to start over";

/// Version 1 was bound to what the model computed of the pictures.
std::string format_of(const std::string& work, int version) {
  return fmt::format("checkpoint of {}, version {}", work, version);
}
constexpr int format_version = 2;

/// What a checkpoint says of `name`; earlier versions wrote settings as options.
std::string said(const Metadata& metadata, const std::string& name) {
  for (const auto& key : {prefix + name, prefix + "--" + name}) {
    if (const auto found = metadata.find(key); found != metadata.end()) return found->second;
  }
  return {};
}

/// Whether the value is no setting that a person could compare.
bool is_hash(const std::string& name) {
  return name == "space" || name == "model" || name == "start" || name.ends_with("pictures");
}

}  // namespace

std::string hash_of(const TextToImage& model) {
  const auto weights = model.checkpoint().part("unet");
  Sha256 hash;
  for (const auto* name : {"conv_in.weight", "conv_out.weight"}) {
    const auto values = weights.at(name).contiguous();
    hash.update(values.data_ptr(), values.nbytes());
  }
  for (const auto* part : {"vae", "text_encoder"}) {
    if (!model.checkpoint().is_replaced(part)) continue;
    for (const auto& [name, tensor] : model.checkpoint().part(part)) {
      const auto values = tensor.contiguous();
      hash.update(values.data_ptr(), values.nbytes());
    }
  }
  return hash.hex();
}

void PictureHash::add(const Image& picture) {
  const auto pixels = picture.pixels.contiguous();
  add(fmt::format("{} {} {}", pixels.size(0), pixels.size(1), pixels.size(2)));
  hash_.update(pixels.const_data_ptr(), pixels.nbytes());
}

void PictureHash::add(const std::string& text) {
  const uint64_t size = text.size();
  hash_.update(&size, sizeof(size)).update(text.data(), text.size());
}

void write_run_checkpoint(const std::filesystem::path& path, const std::string& work,
                          const TensorMap& tensors, const RunDescription& run) {
  Metadata metadata = {{"w2w.format", format_of(work, format_version)}};
  for (const auto& [name, value] : run) metadata[prefix + name] = value;
  write_safetensors(path, tensors, metadata);
}

std::string recorded_setting(const std::filesystem::path& checkpoint, const std::string& name) {
  try {
    return said(read_safetensors(checkpoint).metadata, name);
  } catch (const Error&) {
    return {};
  }
}

RunCheckpoint::RunCheckpoint(const std::filesystem::path& path, const std::string& work,
                             const RunDescription& run)
    : path_(path) {
  auto file = read_safetensors(path);
  const auto& format = file.metadata["w2w.format"];
  if (format == format_of(work, 1)) {
    throw Error(ErrorKind::failure,
                fmt::format("the checkpoint was written by an earlier version of w2w ({}): it does not say "
                            "which pictures it was made with",
                            path.string()),
                "finish it with that version, or " + std::string(start_over));
  }
  if (format != format_of(work, format_version)) {
    throw Error(ErrorKind::malformed, fmt::format("not a checkpoint of {} ({})", work, path.string()));
  }
  const auto refuse = [&](const std::string& how) {
    throw Error(ErrorKind::failure,
                fmt::format("the checkpoint belongs to another run ({}): {}", path.string(), how),
                "give the options it was started with, or delete it to start over");
  };
  std::string other;  // a changed setting says more than a changed hash
  for (const auto& [name, value] : run) {
    const auto found = said(file.metadata, name);
    if (found == value) continue;
    if (!is_hash(name))
      refuse(fmt::format("{} is {} there, {} here", name, found.empty() ? "not given" : found, value));
    other = fmt::format("made with {} {}", name.ends_with("pictures") ? "other" : "another", name);
  }
  if (!other.empty()) refuse(other);
  tensors_ = std::move(file.tensors);
}

void RunCheckpoint::fail(const std::string& what) const {
  throw Error(ErrorKind::malformed, fmt::format("damaged checkpoint ({}): {}", path_.string(), what),
              start_over);
}

at::Tensor RunCheckpoint::take(const std::string& name, at::ScalarType dtype, at::IntArrayRef shape) const {
  const auto where = fmt::format("damaged checkpoint ({})", path_.string());
  return expect_tensor(tensors_, name, dtype, shape, where, start_over).clone();
}

at::Tensor RunCheckpoint::take_generator(const std::string& name) const {
  Generator generator(0);
  auto state = take(name, at::kByte, generator.state().sizes());
  try {
    generator.set_state(state);
  } catch (const c10::Error&) {
    fail(fmt::format("expected '{}' to be a generator state, found other bytes", name));
  }
  return state;
}

std::vector<int64_t> RunCheckpoint::take_indices(const std::string& name, int64_t count) const {
  const auto list = take(name, at::kLong, {-1});
  std::vector<int64_t> indices(list.const_data_ptr<int64_t>(), list.const_data_ptr<int64_t>() + list.numel());
  for (const auto index : indices) {
    if (index >= 0 && index < count) continue;
    fail(fmt::format("expected '{}' to hold numbers from 0 to {}, found {}", name, count - 1, index));
  }
  return indices;
}

}  // namespace w2w
