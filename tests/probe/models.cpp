// text|unet|vae-encode|vae-decode MODEL IN.safetensors OUT.safetensors: one part of a model in f32. IN and
// OUT hold `ids` -> `hidden_states`; `sample`, `timestep`, `encoder_hidden_states` -> `sample`; `image` ->
// `mean`, `std`; `latents` -> `image`, and with `tile` also `tiled`.

#include <ATen/core/grad_mode.h>

#include "probe.h"
#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"
#include "w2w/sd/checkpoint.h"

namespace w2w::probe {
namespace {

template <typename Part>
int run(std::span<char* const> arguments, Part part) {
  if (arguments.size() != 3) throw Error(ErrorKind::usage, "MODEL IN.safetensors OUT.safetensors");
  at::NoGradGuard no_grad;
  const auto in = read_safetensors(arguments[1]).tensors;
  write_safetensors(arguments[2], part(Checkpoint::open(arguments[0]), in), {});
  return 0;
}

int text(std::span<char* const> arguments) {
  return run(arguments, [](const Checkpoint& model, const TensorMap& in) -> TensorMap {
    return {{"hidden_states", model.text_encoder(at::kFloat)(in.at("ids"))}};
  });
}

int unet(std::span<char* const> arguments) {
  return run(arguments, [](const Checkpoint& model, const TensorMap& in) -> TensorMap {
    const auto network = model.unet(at::kFloat);
    return {{"sample", network(in.at("sample"), in.at("timestep"), in.at("encoder_hidden_states"))}};
  });
}

int vae_encode(std::span<char* const> arguments) {
  return run(arguments, [](const Checkpoint& model, const TensorMap& in) -> TensorMap {
    const auto latents = model.vae_encoder(at::kFloat)(in.at("image"));
    return {{"mean", latents.mean}, {"std", latents.std}};
  });
}

int vae_decode(std::span<char* const> arguments) {
  return run(arguments, [](const Checkpoint& model, const TensorMap& in) -> TensorMap {
    const auto decoder = model.vae_decoder(at::kFloat);
    TensorMap out = {{"image", decoder(in.at("latents"))}};
    if (in.contains("tile")) out["tiled"] = decoder.tiled(in.at("latents"), in.at("tile").item<int64_t>());
    return out;
  });
}

W2W_PROBE("text", text);
W2W_PROBE("unet", unet);
W2W_PROBE("vae-encode", vae_encode);
W2W_PROBE("vae-decode", vae_decode);

}  // namespace
}  // namespace w2w::probe
