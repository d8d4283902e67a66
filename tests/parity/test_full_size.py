"""Stable Diffusion 1.5 at full size with random weights, as single files: W2W_FULL_SIZE=1 scripts/test -k full_size."""
import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from parity.ldm_names import checkpoint, unet_name
from parity.test_models import TEXT_BOUND, UNET_BOUND, VAE_BOUND, assert_close, ours, randn
from parity.test_pipeline import NEGATIVE, PROMPT, SEED, assert_same_picture, theirs, with_person
from parity.test_tokens import clip_entries, write_folder
from parity.tiny_models import CROSS, PLAIN, SD1_SCHEDULE, Shape, make_pipeline, unet_shape, vae_shape
from parity.tiny_spaces import make_space

pytestmark = [pytest.mark.full_size, pytest.mark.deadline(7200)]

SD15 = Shape(
    unet=unet_shape((320, 640, 1280, 1280), [CROSS, CROSS, CROSS, PLAIN], attention_head_dim=8, cross_attention_dim=768),
    vae=vae_shape((128, 256, 512, 512), layers_per_block=2),
    text=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, hidden_act="quick_gelu",
              vocab_size=49408, bos_token_id=49406, eos_token_id=49407),
    scheduler=SD1_SCHEDULE | dict(skip_prk_steps=True, set_alpha_to_one=False))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """Weights that f16 files hold exactly."""
    tokenizer = CLIPTokenizer.from_pretrained(write_folder(tmp_path_factory.mktemp("clip") / "tokenizer", *clip_entries(),
                                                          config={"model_max_length": 77, "pad_token": "<|endoftext|>"}))
    pipeline = make_pipeline(SD15, tokenizer=tokenizer)
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.half().float()
    return pipeline


@pytest.fixture(scope="module")
def tensors(pipeline):
    half = {name: {key: tensor.half() for key, tensor in getattr(pipeline, name).state_dict().items()}
            for name in ("unet", "vae", "text_encoder")}
    extras = {"model_ema.decay": torch.tensor(0.9999), "betas": torch.zeros(1000),  # what real files hold besides
              "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77)[None]}
    return checkpoint(**half) | extras


def test_parts_of_a_safetensors_file(pipeline, tensors, probe, tmp_path):
    file = tmp_path / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)

    ids = torch.tensor(pipeline.tokenizer([PROMPT], padding="max_length", max_length=77).input_ids)
    found = ours(probe, "text", file, tmp_path, ids=ids)
    assert_close("text", found["hidden_states"], pipeline.text_encoder(ids)[0], TEXT_BOUND)

    given = {"sample": randn(1, 4, 16, 8), "timestep": torch.tensor([700.0]), "encoder_hidden_states": randn(1, 77, 768, seed=1)}
    found = ours(probe, "unet", file, tmp_path, **given)
    assert_close("unet", found["sample"], pipeline.unet(**given).sample, UNET_BOUND)

    latents, image = randn(1, 4, 8, 16), randn(1, 3, 64, 128).clamp(-1, 1)
    found = ours(probe, "vae-decode", file, tmp_path, latents=latents)
    assert_close("vae image", found["image"], pipeline.vae.decode(latents).sample, VAE_BOUND)
    found = ours(probe, "vae-encode", file, tmp_path, image=image)
    assert_close("vae mean", found["mean"], pipeline.vae.encode(image).latent_dist.mean, VAE_BOUND)


def test_picture_from_a_ckpt_file_and_a_released_space(pipeline, tensors, w2w, tmp_path):
    torch.save({"state_dict": tensors, "global_step": 840000}, tmp_path / "model.ckpt")
    space = make_space(pipeline.unet, components=5)
    assert len(space.mean) == 99648  # as released
    space.mean *= 0.2  # rows of the real matrices are longer than those of the tiny models
    w2w("sample", "-m", tmp_path / "model.ckpt", "--space", space.save_released(tmp_path / "files"), "--identity-seed", 7,
        "-p", PROMPT, "-n", NEGATIVE, "--steps", 4, "--cfg-scale", 3, "-s", SEED, "-W", 128, "-H", 64, "-o", tmp_path / "out")
    std, mean = torch.std_mean(space.projections, dim=0, correction=1)
    coefficients = mean + std * torch.randn(len(mean), generator=torch.Generator("cpu").manual_seed(7))
    expected = theirs(with_person(pipeline, space.deltas(space.theta(coefficients))), num_inference_steps=4, width=128, height=64)
    assert_same_picture(next((tmp_path / "out").glob("*.png")), expected)


def test_merge_from_a_file_to_a_folder_and_back(pipeline, tensors, w2w, tmp_path):
    """file -> folder that diffusers and w2w load -> file: everything but the person's 64 matrices keeps its bytes on the way."""
    from diffusers import StableDiffusionPipeline
    from parity.test_merge import assert_only_touched
    from safetensors.torch import load_file
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    space = make_space(pipeline.unet, components=5)
    space.mean *= 0.2
    save_file({"coefficients": space.projections[0].clone()}, tmp_path / "p.safetensors")
    folder, deltas = space.save_compact(tmp_path / "space"), space.deltas(space.theta(space.projections[0]))
    merge = lambda model, output: w2w("export", "p.safetensors", "--merge", "-m", model, "--space", folder, "-o", output)
    merge("model.safetensors", "one.safetensors")
    merge("model.safetensors", "folder")
    one = load_file(tmp_path / "one.safetensors")
    touched = {f"model.diffusion_model.{unet_name(name)}.weight" for name in deltas}
    assert_only_touched(dict(tensors), one, touched)

    loaded = StableDiffusionPipeline.from_pretrained(tmp_path / "folder", torch_dtype=torch.float32)
    assert loaded.tokenizer(PROMPT).input_ids == pipeline.tokenizer(PROMPT).input_ids
    for name, delta in deltas.items():
        base = pipeline.unet.get_submodule(name).weight
        weight = loaded.unet.get_submodule(name).weight
        exact = base.double() + delta
        excess = ((weight.double() - exact).abs() - 2**-11 * exact.abs()).max() / delta.abs().max()
        assert excess <= 1e-6, "rounded once to f16; before that, sums in f32"
        weight.data = base.data
    given = {"sample": randn(1, 4, 16, 8), "timestep": torch.tensor([700.0]), "encoder_hidden_states": randn(1, 77, 768, seed=1)}
    assert torch.equal(loaded.unet(**given).sample, pipeline.unet(**given).sample)  # all other weights are the model's

    nobody = {"lora_unet_" + name.replace(".", "_") + part: torch.zeros(shape) for name, columns, rows in space.modules
              for part, shape in ((".lora_down.weight", (1, columns)), (".lora_up.weight", (rows, 1)))}
    save_file(nobody, tmp_path / "nobody.safetensors")
    w2w("export", "nobody.safetensors", "--merge", "-m", "folder", "-o", "back.safetensors")
    back = load_file(tmp_path / "back.safetensors")
    extras = one.keys() - back.keys()  # what a folder has no place for
    assert extras == {"model_ema.decay", "betas", "cond_stage_model.transformer.text_model.embeddings.position_ids"}
    assert all(torch.equal(one[name], back.pop(name)) for name in touched)  # adding 0 may turn -0 into 0
    assert_only_touched({name: tensor for name, tensor in one.items() if name not in extras | touched}, back, set())
