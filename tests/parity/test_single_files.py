"""Single files as people have them: with what trainings leave in them, with averages alone, without a VAE or a text encoder; and
`--vae`, `--text-encoder`. Against diffusers' from_single_file, and its pipelines with that part swapped."""
import copy
import shutil
import time

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from parity import ldm_names
from parity.test_pipeline import Person, assert_same_picture, render, theirs, with_person  # noqa: F401: a fixture
from parity.tiny_models import make_pipeline

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."


def contiguous(tensors):
    return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


def names_of(pipeline):
    parts = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    return contiguous(ldm_names.checkpoint(*(part.state_dict() for part in parts)))


def averages(tensors):
    """LitEma of the first code base: the UNet's weights under their names (after "model.") without dots."""
    return {"model_ema." + name.removeprefix("model.").replace(".", ""): tensor for name, tensor in tensors.items() if name.startswith(UNET)}


@pytest.fixture
def tensors(models):
    return names_of(models("sd1").pipeline)


@pytest.fixture
def other(models):
    """A pipeline of the same shape with other weights."""
    return make_pipeline(models("sd1").shape, seed=50)


@pytest.fixture
def weights(w2w, models, tmp_path):
    """weights(FILE, OPTIONS...): what w2w reads of it, as the parts of the folder that it writes."""
    def run(file, *options):
        nobody = {}
        for name, columns, rows in Person(models("sd1").pipeline.unet).space.modules:
            key = "lora_unet_" + name.replace(".", "_")
            nobody |= {f"{key}.lora_down.weight": torch.zeros(1, columns), f"{key}.lora_up.weight": torch.zeros(rows, 1)}
        save_file(nobody, tmp_path / "nobody.safetensors")
        w2w("export", "nobody.safetensors", "--merge", "-m", file, "-o", "out", *options)
        return {path.parent.name: load_file(path) for path in (tmp_path / "out").rglob("*.safetensors")}
    return run


def assert_same_weights(found, expected):
    expected = {name: tensor for name, tensor in expected.items() if "position_ids" not in name}
    bare = {name.removeprefix("text_model."): tensor for name, tensor in found.items()}
    assert bare.keys() == {name.removeprefix("text_model.") for name in expected}
    for name, tensor in expected.items():
        assert torch.equal(bare[name.removeprefix("text_model.")].view_as(tensor), tensor), name


def leftovers(tensors):
    return tensors | averages({name: tensor + 1 for name, tensor in tensors.items()}) | {
        "model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7, dtype=torch.int32), "betas": torch.zeros(1000),
        VAE + "loss.logvar": torch.zeros(()), VAE + "loss.perceptual_loss.net.slice1.0.weight": torch.zeros(4, 3, 3, 3),
        VAE + "loss.discriminator.main.0.weight": torch.zeros(4, 3, 4, 4), VAE + "discriminator.main.0.weight": torch.zeros(2, 2),
        VAE + "model_ema.decay": torch.tensor(0.5), VAE + "model_ema.decoderconv_inweight": torch.zeros(2),
        "cond_stage_model.logit_scale": torch.zeros(()), TEXT + "text_model.embeddings.position_ids": torch.arange(77)[None]}


@pytest.mark.parametrize("kind", ["safetensors", "ckpt"])
def test_what_trainings_leave(models, weights, tensors, tmp_path, kind):
    model, file = models("sd1"), tmp_path / f"model.{kind}"
    if kind == "ckpt":
        torch.save({"state_dict": leftovers(tensors), "global_step": 3}, file)
    else:
        save_file(leftovers(tensors), file)
    found = weights(file)
    for part, kind in (("unet", UNet2DConditionModel), ("vae", AutoencoderKL)):
        live = kind.from_single_file(file, config=str(model.folder), subfolder=part, torch_dtype=torch.float32)
        assert_same_weights(found[part], live.state_dict())
    assert_same_weights(found["text_encoder"], model.pipeline.text_encoder.state_dict())


def test_averages_alone_are_the_unet(models, weights, tensors, tmp_path):
    """diffusers reads averages only beside the weights, so it is given these."""
    save_file(tensors, tmp_path / "weights.safetensors")
    rest = {name: tensor for name, tensor in tensors.items() if not name.startswith(UNET)}
    save_file(rest | averages(tensors) | {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7)}, tmp_path / "ema.safetensors")
    live = UNet2DConditionModel.from_single_file(tmp_path / "weights.safetensors", config=str(models("sd1").folder), subfolder="unet")
    assert_same_weights(weights("ema.safetensors")["unet"], live.state_dict())


def saved_as(part, tensors, how, path):
    """A VAE or text encoder in one of the forms in which they are passed on."""
    prefix = VAE if part == "vae" else TEXT
    bare = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    extra = {"loss.logvar": torch.zeros(()), "model_ema.decay": torch.tensor(0.5)} if part == "vae" else {}
    if how == "ckpt":
        torch.save({"state_dict": bare | extra}, path.with_suffix(".ckpt"))
        return path.with_suffix(".ckpt")
    save_file(tensors if how == "whole" else {prefix + name: t for name, t in bare.items()} if how == "prefixed" else bare, path.with_suffix(".safetensors"))
    return path.with_suffix(".safetensors")


@pytest.mark.parametrize("how", ["bare", "prefixed", "whole", "ckpt", "folder", "subfolder", "saved", "diffusers names"])
@pytest.mark.parametrize("part, option", [("vae", "--vae"), ("text_encoder", "--text-encoder")])
def test_a_missing_part_is_filled_in(models, weights, tensors, other, tmp_path, part, option, how):
    prefix = VAE if part == "vae" else TEXT
    source = tmp_path / "model.safetensors"
    save_file({name: tensor for name, tensor in tensors.items() if not name.startswith(prefix)}, source)
    module = getattr(other, part)
    if how in ("folder", "subfolder", "saved"):  # with a tiny config.json, which fits a tiny folder
        source = shutil.copytree(models("sd1").folder, tmp_path / "model", ignore=shutil.ignore_patterns(part))
        module.save_pretrained(tmp_path / "theirs" / part)
        given = tmp_path / "theirs" / (part if how != "subfolder" else "")
        if how == "saved":
            given = next(given.glob("*.safetensors"))
    elif how == "diffusers names":
        save_file(contiguous(module.state_dict()), tmp_path / "part.safetensors")
        given = tmp_path / "part.safetensors"
    else:
        given = saved_as(part, names_of(other), how, tmp_path / "part")
    found = weights(source, option, given)
    assert_same_weights(found[part], module.state_dict())
    assert_same_weights(found["unet"], models("sd1").pipeline.unet.state_dict())


def test_the_models_own_vae_is_replaced(models, render, w2w, tmp_path, other):  # noqa: F811
    """Pictures, and the model that is written with it."""
    model = models("sd1")
    other.vae.save_pretrained(tmp_path / "vae")
    person = Person(model.pipeline.unet)
    pipeline = copy.copy(with_person(model.pipeline, person.deltas))
    own = theirs(pipeline)
    pipeline.register_modules(vae=other.vae)
    expected = theirs(pipeline)
    assert abs(expected.astype(int) - own.astype(int)).mean() > 5
    picture = render(model, person, "--vae", tmp_path / "vae")
    assert_same_picture(picture, expected)
    assert f"--vae {tmp_path / 'vae'}" in w2w("inspect", picture).stdout
    w2w("export", "person.safetensors", "--merge", "-m", model.folder, "--vae", "vae", "-o", "merged")
    merged = StableDiffusionPipeline.from_pretrained(tmp_path / "merged")
    assert_same_weights(merged.vae.state_dict(), other.vae.state_dict())
    w2w("export", "person.safetensors", "--merge", "-m", model.folder, "--vae", "vae", "-o", "merged.safetensors")
    live = AutoencoderKL.from_single_file(tmp_path / "merged.safetensors", config=str(model.folder), subfolder="vae")
    assert_same_weights(live.state_dict(), other.vae.state_dict())


def test_the_text_encoder_is_replaced(models, render, tmp_path, other):  # noqa: F811
    model = models("sd1")
    other.text_encoder.save_pretrained(tmp_path / "text")
    person = Person(model.pipeline.unet)
    pipeline = copy.copy(with_person(model.pipeline, person.deltas))
    pipeline.register_modules(text_encoder=other.text_encoder)
    assert_same_picture(render(model, person, "--text-encoder", tmp_path / "text"), theirs(pipeline))


@pytest.mark.parametrize("lacking, said, hint", [
    ([VAE], "it has no VAE (weights named first_stage_model.*)", "hint: use --vae PATH"),
    ([TEXT], "it has no text encoder (weights named cond_stage_model.transformer.*)", "hint: use --text-encoder PATH"),
    ([VAE, TEXT], "it has no VAE and no text encoder", "hint: use --vae PATH and --text-encoder PATH")])
def test_what_a_file_lacks_is_said_at_once(w2w, tensors, tmp_path, lacking, said, hint):
    save_file({name: tensor for name, tensor in tensors.items() if not name.startswith(tuple(lacking))}, tmp_path / "model.safetensors")
    start = time.monotonic()
    done = w2w("sample", "-m", "model.safetensors", "-s", 1, code=3)
    assert said in done.stderr and hint in done.stderr and time.monotonic() - start < 5


@pytest.mark.parametrize("option, given, code, said", [
    ("--vae", "none", 4, "no such VAE (none)"), ("--text-encoder", "none", 4, "no such text encoder (none)"),
    ("--vae", "empty", 4, "no VAE in this folder (empty)"), ("--vae", "text.safetensors", 3, "no VAE in this file (text.safetensors)"),
    ("--text-encoder", "vae.safetensors", 3, "no text encoder in this file (vae.safetensors)"),
    ("--vae", "nobody/nothing", 4, "hf download nobody/nothing")])
def test_what_is_no_such_part(w2w, models, tensors, tmp_path, option, given, code, said):
    (tmp_path / "empty").mkdir()
    for name, prefix in (("vae", VAE), ("text", TEXT)):
        save_file({key: tensor for key, tensor in tensors.items() if key.startswith(prefix)}, tmp_path / f"{name}.safetensors")
    assert said in w2w("sample", "-m", models("sd1").folder, "-s", 1, option, given, code=code).stderr


COMMANDS = ["sample", "render", "invert", "edit", "export", "import", "space build", "space convert", "direction fit", "train", "nearest", "compare", "interpolate", "doctor", "tokens"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_opens_a_model_takes_them(w2w, command):
    text = w2w("help", *command.split()).stdout
    assert "--vae PATH" in text and "--text-encoder PATH" in text
