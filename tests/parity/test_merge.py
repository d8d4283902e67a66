"""`export --merge`: whole models with the person in them, loaded by diffusers; everything else keeps its bytes."""
import copy
import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from parity import ldm_names, tiny_models
from parity.test_lora import difference, output_of
from parity.test_models import as_bin, as_shards, as_variant
from parity.test_tokens import clip_entries
from parity.tiny_spaces import make_space

BOUND = 1e-5


@pytest.fixture
def merging(w2w, models, tmp_path):
    """merge(OUTPUT, options...): the tiny SD 1 model with one person in it; with what Python computes beside it."""
    class Merging:
        model = models("sd1")
        pipeline = model.pipeline
        space = make_space(pipeline.unet)
        folder = space.save_compact(tmp_path / "space")
        coefficients = space.projections[0].clone()
        deltas = space.deltas(space.theta(coefficients))
        source = shutil.copytree(model.folder, tmp_path / "source")

        def __call__(self, output, *options, source=None, **how):
            return w2w("export", "person.safetensors", "--merge", "-m", source or self.source, "--space", self.folder, "-o", output,
                       *options, **how)

        def unet(self):
            unet = copy.deepcopy(self.pipeline.unet)
            for name, delta in self.deltas.items():
                weight = unet.get_submodule(name).weight
                weight.data = (weight.double() + delta).to(weight.dtype)
            return unet

    save_file({"coefficients": Merging.coefficients}, tmp_path / "person.safetensors")
    return Merging()


def tensors_of(folder):
    return {path.parent.name: load_file(path) for path in folder.rglob("*.safetensors")}


def assert_only_touched(before, after, touched):
    """All tensors are the same bytes, except the touched ones, which differ and keep shape and dtype."""
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.shape == after[name].shape and tensor.dtype == after[name].dtype, name
        same = torch.equal(tensor.flatten().view(torch.uint8), after[name].flatten().view(torch.uint8))
        assert same == (name not in touched), name


def test_folder_loaded_by_diffusers(merging, tmp_path):
    (merging.source / "safety_checker").mkdir()  # as published models have: a part that w2w does not know
    save_file({"x": torch.ones(3)}, merging.source / "safety_checker" / "model.safetensors")
    (merging.source / "LICENSE").write_text("free")
    (merging.source / "everything.ckpt").write_text("a whole other form of the model")
    before = tensors_of(merging.source)
    assert merging("out").stdout == "out\n"
    out = tmp_path / "out"
    touched = {f"{name}.weight" for name in merging.deltas}
    after = tensors_of(out)
    assert before.keys() == after.keys()
    for part in before:
        assert_only_touched(before[part], after[part], touched if part == "unet" else set())
    files = lambda root: {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    assert files(out) == {path for path in files(merging.source) if path.name != "everything.ckpt"}
    for path in files(out):
        if path.suffix != ".safetensors":
            assert (out / path).read_bytes() == (merging.source / path).read_bytes()

    pipeline = StableDiffusionPipeline.from_pretrained(out)
    expected = output_of(merging.unet())
    assert difference(output_of(merging.pipeline.unet), expected) > 0.05, "the person must be visible"
    error = difference(output_of(pipeline.unet), expected)
    print(f"\nUNet output of the merged folder: {error:.1e}")
    assert error <= BOUND


def test_half_precision_is_kept_and_rounded_once(merging, tmp_path):
    half = copy.deepcopy(merging.pipeline.unet).half()
    half.save_pretrained(merging.source / "unet")
    merging("out")
    merged = load_file(tmp_path / "out/unet/diffusion_pytorch_model.safetensors")
    for name, delta in merging.deltas.items():
        exact = half.get_submodule(name).weight.double() + delta
        found = merged[name + ".weight"]
        assert found.dtype == torch.float16
        # half a unit in the last place, and before it the f32 roundings of the change, a sum over all components
        assert ((found.double() - exact).abs() <= 2**-11 * exact.abs() + 2**-20 * delta.abs() + 2**-25).all(), name


@pytest.mark.parametrize("name, dtype", [("f16", torch.float16), ("bf16", torch.bfloat16)])
@pytest.mark.parametrize("output", ["out", "out.safetensors"])
def test_another_dtype_is_of_all_weights(merging, tmp_path, name, dtype, output):
    """Each tensor is what torch makes of the f32 one; the person is rounded once."""
    merging("whole" + output)
    merging(output, "--dtype", name)
    folder = output == "out"
    expected, found = ((tensors_of(tmp_path / path) if folder else {"all": load_file(tmp_path / path)}) for path in ("whole" + output, output))
    for part in expected:
        assert expected[part].keys() == found[part].keys()
        for key, tensor in expected[part].items():
            if not tensor.is_floating_point():
                assert torch.equal(found[part][key], tensor), key
            else:
                assert found[part][key].dtype == dtype and torch.equal(found[part][key], tensor.to(dtype)), key
    if folder:
        StableDiffusionPipeline.from_pretrained(tmp_path / output, torch_dtype=dtype)


@pytest.mark.parametrize("change", [as_bin, as_shards, as_variant])
def test_every_way_of_saving_becomes_one_file_a_part(models, merging, tmp_path, change):
    change(models, merging.source)
    merging("out")
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")
                  if path.suffix in (".safetensors", ".bin") or ".index." in path.name) == [
        "text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"]
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "out")
    assert difference(output_of(pipeline.unet), output_of(merging.unet())) <= BOUND


def test_a_part_that_was_not_fetched_is_struck(merging, tmp_path):
    index = json.loads((merging.source / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["requires_safety_checker"] = True
    (merging.source / "model_index.json").write_text(json.dumps(index))
    assert "safety_checker" in merging("out").stderr
    assert StableDiffusionPipeline.from_pretrained(tmp_path / "out").safety_checker is None


@pytest.fixture
def single(merging, tmp_path):
    """The same model as a single file, with tensors that such files hold besides."""
    pipeline = merging.pipeline
    tensors = ldm_names.checkpoint(pipeline.unet.state_dict(), pipeline.vae.state_dict(), pipeline.text_encoder.state_dict())
    tensors |= {"betas": torch.zeros(1000), "model_ema.decay": torch.tensor(0.5)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "single.safetensors")
    return tmp_path / "single.safetensors"


def ldm_touched(merging):
    return {f"model.diffusion_model.{ldm_names.unet_name(name)}.weight" for name in merging.deltas}


def test_folder_to_single_file(merging, tmp_path):
    merging("out.safetensors")
    written = load_file(tmp_path / "out.safetensors")
    pipeline = merging.pipeline
    expected = ldm_names.checkpoint(pipeline.unet.state_dict(), pipeline.vae.state_dict(), pipeline.text_encoder.state_dict())
    assert_only_touched(expected, written, ldm_touched(merging))
    # diffusers' own reading of such files
    unet = copy.deepcopy(pipeline.unet)
    unet.load_state_dict(convert_ldm_unet_checkpoint(dict(written), dict(unet.config)))
    error = difference(output_of(unet), output_of(merging.unet()))
    print(f"\nUNet output of the merged file: {error:.1e}")
    assert error <= BOUND
    vae = convert_ldm_vae_checkpoint(dict(written), dict(pipeline.vae.config))
    assert all(torch.equal(tensor, vae[name].view_as(tensor)) for name, tensor in pipeline.vae.state_dict().items())


def test_diffusers_loads_the_single_file(merging, tmp_path):
    merging("out.safetensors")
    for part, kind in (("unet", UNet2DConditionModel), ("vae", AutoencoderKL)):
        model = kind.from_single_file(tmp_path / "out.safetensors", config=str(merging.source), subfolder=part)
        if part == "unet":
            assert difference(output_of(model), output_of(merging.unet())) <= BOUND


def test_single_file_to_single_file(merging, single, tmp_path):
    merging("out.safetensors", source=single)
    assert_only_touched(load_file(single), load_file(tmp_path / "out.safetensors"), ldm_touched(merging))


def test_ckpt_to_single_file(merging, single, tmp_path):
    torch.save({"state_dict": load_file(single), "global_step": 3}, tmp_path / "model.ckpt")
    merging("out.safetensors", source=tmp_path / "model.ckpt")
    assert_only_touched(load_file(single), load_file(tmp_path / "out.safetensors"), ldm_touched(merging))


def test_single_file_to_folder(merging, single, tmp_path):
    """Configurations are Stable Diffusion 1.5's, since a file carries none: only the names and bytes can be those of a tiny
    model here."""
    merging("out", source=single)
    out = tmp_path / "out"
    unet = load_file(out / "unet/diffusion_pytorch_model.safetensors")
    assert_only_touched(merging.pipeline.unet.state_dict(), unet, {f"{name}.weight" for name in merging.deltas})
    assert_only_touched(merging.pipeline.vae.state_dict(), load_file(out / "vae/diffusion_pytorch_model.safetensors"), set())
    with torch.device("meta"):
        for part, kind in (("unet", UNet2DConditionModel), ("vae", AutoencoderKL)):
            model = kind.from_config(kind.load_config(out / part))
            written = load_file(out / part / "diffusion_pytorch_model.safetensors").keys()
            # the tiny VAE's levels widen elsewhere, and a shortcut is where a level widens
            assert {key for key in model.state_dict().keys() ^ written if part == "unet" or "conv_shortcut" not in key} == set()
        text = CLIPTextModel(CLIPTextModel.config_class.from_pretrained(out / "text_encoder"))
    written = load_file(out / "text_encoder/model.safetensors")
    for name, tensor in merging.pipeline.text_encoder.state_dict().items():
        if "position_ids" not in name:
            assert torch.equal(written["text_model." + name.removeprefix("text_model.")], tensor)
    assert (text.config.hidden_size, text.config.num_hidden_layers, text.config.hidden_act) == (768, 12, "quick_gelu")
    index = json.loads((out / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline" and index["safety_checker"] == [None, None]
    from diffusers import PNDMScheduler
    scheduler = PNDMScheduler.from_pretrained(out / "scheduler")
    assert (scheduler.config.beta_start, scheduler.config.steps_offset, scheduler.config.skip_prk_steps) == (0.00085, 1, True)


def test_the_tokenizer_made_for_a_single_file(merging, single, tmp_path):
    merging("out", source=single)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "out/tokenizer")
    entries, merges = clip_entries()
    vocabulary = json.loads((tmp_path / "out/tokenizer/vocab.json").read_text())
    assert sorted(vocabulary, key=vocabulary.get) == list(entries)
    lines = (tmp_path / "out/tokenizer/merges.txt").read_text().splitlines()[1:]
    assert [tuple(line.split()) for line in lines] == [tuple(merge) for merge in merges]
    assert tokenizer("a photo of sks person", padding="max_length").input_ids[:7] == [49406, 320, 1125, 539, 48136, 2533, 49407]
    assert tokenizer.model_max_length == 77


def test_the_same_command_gives_the_same_bytes(merging, tmp_path):
    for output in ("a", "b", "a.safetensors", "b.safetensors"):
        merging(output)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    for path in (tmp_path / "a").rglob("*"):
        assert path.is_dir() or path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_what_a_single_file_has_no_names_for(w2w, merging, models, tmp_path):
    demo = models("demo")
    folder = make_space(demo.pipeline.unet).save_compact(tmp_path / "demo-space")
    done = w2w("export", "person.safetensors", "--merge", "-m", demo.folder, "--space", folder, "-o", "x.safetensors", code=1)
    assert "cannot be written as a single file" in done.stderr and "name a folder as -o" in done.stderr
    assert not (tmp_path / "x.safetensors").exists()


def test_existing_folders_are_safe(merging, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    for options in ((), ("--force",)):
        assert "choose another -o" in merging("mine", *options, code=1).stderr
    assert (tmp_path / "mine/thesis.txt").exists()
    assert "the model itself" in merging(merging.source, "--force", code=1).stderr
    merging("out")
    assert "--force" in merging("out", code=1).stderr
    merging("out", "--force")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.parametrize("output", ["out", "out.safetensors"])
def test_a_full_disk_leaves_nothing(merging, w2w, tmp_path, output):
    """A limit on file size stands in for a full disk: writing fails in the middle."""
    import resource
    import signal
    import subprocess

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    before = {path.name for path in tmp_path.iterdir()}
    done = subprocess.run([w2w.path, "export", "person.safetensors", "--merge", "-m", merging.source, "--space", merging.folder,
                           "-o", output], cwd=tmp_path, env=w2w.environment(), capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1 and "cannot write" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before
