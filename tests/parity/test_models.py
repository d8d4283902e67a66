"""Text encoder, UNet and VAE against transformers and diffusers, each on the same weights and the same inputs.

Bounds are relative to the largest value of the expected output, just above what was measured (docs/method.md allows 1e-4).
Run with -s to see the measured figures.
"""
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from parity import ldm_names, tiny_models
from parity.tiny_models import SHAPES

TEXT_BOUND, UNET_BOUND, VAE_BOUND = 2e-6, 4e-6, 5e-6


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def ours(probe, command, folder, tmp_path, **tensors):
    """The outputs of one part of the model in `folder` for `tensors`."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "in.safetensors")
    probe(command, folder, tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    return load_file(tmp_path / "out.safetensors")


def assert_close(what, found, expected, bound):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    error = ((found - expected).abs().max() / expected.abs().max()).item()
    print(f"\n{what}: {error:.1e}")
    assert error <= bound, f"{what}: off by {error:.2e} of the scale, allowed {bound:.0e}"


def text_input(model):
    ids = model.pipeline.tokenizer(["", "a person with glasses", "photo of a man and a woman on the beach " * 20],
                                   padding="max_length", max_length=77, truncation=True).input_ids
    return {"ids": torch.tensor(ids)}


def unet_input(model, height=8, width=8):
    """A batch with a timestep of its own for each sample, one of them between two of the training's."""
    return {"sample": randn(3, 4, height, width), "timestep": torch.tensor([0.0, 999.0, 500.5]),
            "encoder_hidden_states": randn(3, 77, model.shape.unet["cross_attention_dim"], seed=1)}


@pytest.mark.parametrize("name", SHAPES)
def test_text_encoder(models, probe, tmp_path, name):
    model = models(name)
    given = text_input(model)
    found = ours(probe, "text", model.folder, tmp_path, **given)
    assert_close(f"text {name}", found["hidden_states"], model.pipeline.text_encoder(given["ids"])[0], TEXT_BOUND)


@pytest.mark.parametrize("height, width", [
    (8, 8),
    (16, 24),
    pytest.param(9, 13, id="9-13-not-divisible-by-the-levels"),  # pictures need only be divisible by 8
])
@pytest.mark.parametrize("name", SHAPES)
def test_unet(models, probe, tmp_path, name, height, width):
    model = models(name)
    given = unet_input(model, height, width)
    found = ours(probe, "unet", model.folder, tmp_path, **given)
    assert_close(f"unet {name} {height}x{width}", found["sample"], model.pipeline.unet(**given).sample, UNET_BOUND)


@pytest.mark.parametrize("height, width", [(4, 4), (6, 10)])
@pytest.mark.parametrize("name", SHAPES)
def test_vae(models, probe, tmp_path, name, height, width):
    model = models(name)
    image = randn(2, 3, height * 8, width * 8).clamp(-1, 1)
    found = ours(probe, "vae-encode", model.folder, tmp_path, image=image)
    expected = model.pipeline.vae.encode(image).latent_dist
    assert_close(f"vae {name} mean", found["mean"], expected.mean, VAE_BOUND)
    assert_close(f"vae {name} std", found["std"], expected.std, VAE_BOUND)

    latents = randn(2, 4, height, width)
    found = ours(probe, "vae-decode", model.folder, tmp_path, latents=latents)
    assert_close(f"vae {name} image", found["image"], model.pipeline.vae.decode(latents).sample, VAE_BOUND)


def tiled_by_hand(vae, latents, tile, factor):
    """Tiles of `tile` latents, three quarters of a tile apart and the last flush with the edge, blended by linear ramps."""
    starts = lambda size: [*range(0, size - tile, tile - tile // 4), size - tile] if size > tile else [0]
    height, width = latents.shape[2:]
    ramp = lambda n: torch.minimum(torch.arange(n) + 0.5, n - torch.arange(n) - 0.5).div(max(1, n / 4)).clamp(max=1)
    total, sum_of = torch.zeros(height * factor, width * factor), 0
    h, w = min(tile, height), min(tile, width)
    weight = ramp(h * factor)[:, None] * ramp(w * factor)
    for y in starts(height):
        for x in starts(width):
            picture = torch.zeros(len(latents), 3, height * factor, width * factor)
            place = (slice(y * factor, (y + h) * factor), slice(x * factor, (x + w) * factor))
            picture[:, :, *place] = vae.decode(latents[:, :, y:y + h, x:x + w]).sample * weight
            total[place] += weight
            sum_of = sum_of + picture
    return sum_of / total


@pytest.mark.parametrize("height, width", [(8, 8), (6, 19), (17, 11)])
def test_tiled_decode(models, probe, tmp_path, height, width):
    model = models("demo")
    latents = randn(1, 4, height, width)
    found = ours(probe, "vae-decode", model.folder, tmp_path, latents=latents, tile=torch.tensor([8]))
    assert_close("tiled", found["tiled"], tiled_by_hand(model.pipeline.vae, latents, 8, 4), VAE_BOUND)
    if max(height, width) <= 8:
        assert torch.equal(found["tiled"], found["image"]), "one tile is the whole picture"


@pytest.fixture
def copy(models, tmp_path):
    """A copy of the tiny SD 1 model that a test may change."""
    return shutil.copytree(models("sd1").folder, tmp_path / "copy")


def resave(models, copy, **how):
    """The weights of the copy saved again in another way of save_pretrained."""
    for part in ("unet", "vae", "text_encoder"):
        for file in (copy / part).glob("*.safetensors"):
            file.unlink()
        getattr(models("sd1").pipeline, part).save_pretrained(copy / part, **how)


def as_bin(models, copy):
    for file in copy.rglob("*.safetensors"):
        stem = "pytorch_model" if file.stem == "model" else file.stem
        torch.save(load_file(file), file.with_name(stem + ".bin"))
        file.unlink()


def as_shards(models, copy):
    resave(models, copy, max_shard_size="200KB")
    assert list(copy.glob("unet/*-of-*.safetensors")) and list(copy.glob("text_encoder/*-of-*.safetensors"))


def as_variant(models, copy):
    resave(models, copy, variant="fp16")


def with_old_vae_kernels(models, copy):
    """Attention of the VAE as 1x1 convolutions, as the first converted models had it."""
    tiny_models.with_old_vae_names(copy)
    file = copy / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({name: t[:, :, None, None].contiguous() if ".attentions." in name and t.dim() == 2 else t
               for name, t in load_file(file).items()}, file)


def drop_optional_fields(models, copy):
    """A config.json as diffusers wrote it in 2022: without the fields added since, which take the classes' defaults."""
    kept = {"_class_name", "act_fn", "block_out_channels", "down_block_types", "up_block_types", "cross_attention_dim",
            "attention_head_dim", "in_channels", "out_channels", "latent_channels", "sample_size", "norm_eps", "layers_per_block"}
    for part in ("unet", "vae"):
        file = copy / part / "config.json"
        file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k in kept}))


@pytest.mark.parametrize("change", [
    as_bin, as_shards, as_variant, lambda _, copy: tiny_models.with_old_vae_names(copy), with_old_vae_kernels,
    lambda _, copy: tiny_models.with_old_text_names(copy), drop_optional_fields,
], ids=["bin", "shards", "variant", "old vae names", "old vae kernels", "old text names", "old config"])
def test_every_way_of_saving_is_the_same_model(models, probe, copy, tmp_path, change):
    model = models("sd1")
    text, unet, image, latents = text_input(model), unet_input(model), randn(1, 3, 32, 32), randn(1, 4, 4, 4)
    change(models, copy)
    found = ours(probe, "text", copy, tmp_path, **text)
    assert_close("text", found["hidden_states"], model.pipeline.text_encoder(text["ids"])[0], TEXT_BOUND)
    found = ours(probe, "unet", copy, tmp_path, **unet)
    assert_close("unet", found["sample"], model.pipeline.unet(**unet).sample, UNET_BOUND)
    found = ours(probe, "vae-encode", copy, tmp_path, image=image)
    assert_close("vae mean", found["mean"], model.pipeline.vae.encode(image).latent_dist.mean, VAE_BOUND)
    found = ours(probe, "vae-decode", copy, tmp_path, latents=latents)
    assert_close("vae image", found["image"], model.pipeline.vae.decode(latents).sample, VAE_BOUND)


def test_half_precision_weights_are_widened(models, probe, copy, tmp_path):
    """f16 files run in f32, so they differ from the f32 model only by the rounding of the weights."""
    model = models("sd1")
    half = tiny_models.make_pipeline(model.shape).unet.half()
    half.save_pretrained(copy / "unet")
    given = unet_input(model)
    found = ours(probe, "unet", copy, tmp_path, **given)
    assert_close("unet f16 weights", found["sample"], half.float()(**given).sample, UNET_BOUND)


def test_our_names_of_single_files_are_those_diffusers_reads(models):
    """Checks tests/parity/ldm_names.py, with which the full-size tests write such files."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
    pipeline = models("sd1").pipeline
    unet, vae = pipeline.unet.state_dict(), pipeline.vae.state_dict()
    written = ldm_names.checkpoint(unet, vae, {})
    for expected, read in ((unet, convert_ldm_unet_checkpoint(dict(written), dict(pipeline.unet.config))),
                           (vae, convert_ldm_vae_checkpoint(dict(written), dict(pipeline.vae.config)))):
        assert expected.keys() == read.keys()
        assert all(torch.equal(tensor, read[name].view_as(tensor)) for name, tensor in expected.items())


def change_tensor(copy, part, change):
    file = next((copy / part).glob("*.safetensors"))
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


@pytest.mark.parametrize("change, said", [
    (lambda t: t.pop("mid_block.resnets.0.conv1.weight"), "mid_block.resnets.0.conv1.weight"),
    (lambda t: t.update({"conv_middle.weight": torch.zeros(1)}), "conv_middle.weight"),
    (lambda t: t.update({"conv_in.weight": torch.zeros(32, 5, 3, 3)}), "conv_in.weight"),
], ids=["missing", "left over", "wrong shape"])
def test_a_tensor_that_does_not_fit_is_named(models, probe, copy, tmp_path, change, said):
    change_tensor(copy, "unet", change)
    save_file(unet_input(models("sd1")), tmp_path / "in.safetensors")
    done = probe("unet", copy, tmp_path / "in.safetensors", tmp_path / "out.safetensors", code=3)
    assert said in done.stderr and "unet" in done.stderr
