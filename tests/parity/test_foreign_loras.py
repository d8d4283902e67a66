"""LoRAs that other trainings made: more layers than a space has, text encoders with ranks of their own, 8-bit numbers, names of the
first code base. Against diffusers and PEFT, which write or read the same files."""
import copy
import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers, _maybe_map_sgm_blocks_to_diffusers
from diffusers.training_utils import _collate_lora_metadata
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from safetensors.torch import load_file, save_file

from parity import ldm_names
from parity.test_pipeline import Person
from parity.tiny_spaces import make_space


@pytest.fixture
def space(models, tmp_path):
    made = make_space(models("sd1").pipeline.unet)
    made.folder = made.save_compact(tmp_path / "space")
    return made


def dreambooth(models, path, rank=4, text_rank=7, metadata=True, seed=0):
    """What diffusers' train_dreambooth_lora.py saves with --train_text_encoder, by its own calls."""
    unet, text = (copy.deepcopy(getattr(models("sd1").pipeline, part)) for part in ("unet", "text_encoder"))
    torch.manual_seed(seed)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights=False, target_modules=["to_k", "to_q", "to_v", "to_out.0", "add_k_proj", "add_v_proj"]))
    text.add_adapter(LoraConfig(r=text_rank, lora_alpha=text_rank, init_lora_weights=False, target_modules=["q_proj", "k_proj", "v_proj", "out_proj"]))
    more = _collate_lora_metadata({"unet": unet, "text_encoder": text}) if metadata else {}
    StableDiffusionPipeline.save_lora_weights(path, unet_lora_layers=get_peft_model_state_dict(unet), **more,
                                              text_encoder_lora_layers=get_peft_model_state_dict(text))
    return {name: module for name, module in unet.named_modules() if hasattr(module, "lora_A")}


def coefficients(w2w, models, space, file, output, *options):
    done = w2w("import", file, "-m", models("sd1").folder, "--space", space.folder, "-o", output, *options)
    return load_file(w2w.home / output)["coefficients"], done.stderr


@pytest.mark.parametrize("metadata", [True, False])
def test_import_takes_the_spaces_part_of_a_dreambooth_lora(w2w, models, space, tmp_path, metadata):
    """The same coefficients as of a file that holds this part alone, of PEFT's own matrices."""
    layers = dreambooth(models, tmp_path / "theirs", metadata=metadata)
    alone = {}
    for name, _, _ in space.modules:
        key = "lora_unet_" + name.replace(".", "_")
        alone[f"{key}.lora_down.weight"] = layers[name].lora_A["default"].weight.clone()
        alone[f"{key}.lora_up.weight"] = layers[name].lora_B["default"].weight.clone() * layers[name].scaling["default"]
    save_file(alone, tmp_path / "alone.safetensors")
    expected, _ = coefficients(w2w, models, space, "alone.safetensors", "alone_out.safetensors")
    refused = w2w("import", "theirs", "-m", models("sd1").folder, "--space", space.folder, code=1).stderr
    assert "PEFT" not in refused and "not part of the space" in refused and "--partial" in refused
    found, said = coefficients(w2w, models, space, "theirs", "out.safetensors", "--partial")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    count = len(layers) - len(space.modules) + 4 * 3  # of the text encoder: three layers
    assert f"{count} matrices outside the space are ignored" in said


def test_a_space_of_dreambooth_loras(w2w, models, tmp_path):
    for i in range(3):
        dreambooth(models, tmp_path / f"loras/p{i}", rank=1, text_rank=5, seed=i)
    common = ["space", "build", "loras", "-m", models("sd1").folder, "-o"]
    assert "text encoder" in w2w(*common, "whole", code=3).stderr
    done = w2w(*common, "partial", "--partial", "--json")
    assert "12 matrices are ignored" in done.stderr and "text_encoder" in done.stderr and not json.loads(done.stdout)["outputs"][0]["canonical"]
    for i in range(3):  # the UNet's layers alone
        file = tmp_path / f"loras/p{i}/pytorch_lora_weights.safetensors"
        tensors = {name: tensor for name, tensor in load_file(file).items() if name.startswith("unet.")}
        save_file(tensors, file)
    w2w(*common, "unet")
    for name, tensor in load_file(tmp_path / "unet/basis.safetensors").items():
        assert torch.equal(load_file(tmp_path / "partial/basis.safetensors")[name], tensor), name


@pytest.mark.parametrize("form", ["safetensors", "pt", "legacy"])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_8_bit_numbers_are_their_values(w2w, models, space, tmp_path, dtype, form):
    """torch says what they are. Zip and legacy files of torch.save too."""
    narrow = {name: tensor.to(dtype) for name, tensor in load_file(Person(models("sd1").pipeline.unet).write(tmp_path / "p.safetensors")).items()}
    save_file({name: tensor.float() for name, tensor in narrow.items()}, tmp_path / "wide.safetensors")
    file = tmp_path / f"narrow.{'safetensors' if form == 'safetensors' else 'pt'}"
    save_file(narrow, file) if form == "safetensors" else torch.save(narrow, file, _use_new_zipfile_serialization=form == "pt")
    expected, _ = coefficients(w2w, models, space, "wide.safetensors", "a.safetensors")
    found, _ = coefficients(w2w, models, space, file, "b.safetensors")
    assert torch.equal(found, expected)
    assert "f8 (e" in w2w("inspect", file).stdout


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_8_bit_checkpoints(w2w, models, tmp_path, dtype):
    pipeline = models("sd1").pipeline
    parts = [{name: tensor.to(dtype) for name, tensor in part.state_dict().items()} for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder)]
    save_file({name: tensor.contiguous() for name, tensor in ldm_names.checkpoint(*parts).items()}, tmp_path / "model.safetensors")
    nobody = {name: tensor * 0 for name, tensor in load_file(Person(pipeline.unet).write(tmp_path / "p.safetensors")).items()}
    save_file(nobody, tmp_path / "nobody.safetensors")
    w2w("export", "nobody.safetensors", "--merge", "-m", "model.safetensors", "--dtype", "f32", "-o", "out")
    for part, tensors in zip(("unet", "vae"), parts):
        found = load_file(tmp_path / f"out/{part}/diffusion_pytorch_model.safetensors")
        assert all(torch.equal(found[name], tensor.float()) for name, tensor in tensors.items())


def with_ldm_names(models, name, form):
    """A LoRA of all attention layers, under the names of the first code base; and as diffusers converts it."""
    pipeline, layers = models(name).pipeline, models(name).shape.unet.get("layers_per_block", 2)
    generator, tensors = torch.Generator().manual_seed(3), {}
    for module, layer in pipeline.unet.named_modules():
        if not module.endswith(("to_q", "to_k", "to_v", "to_out.0")):
            continue
        path = ldm_names.unet_name(module + ".", layers)[:-1]
        stem = "lora_unet_" + path.replace(".", "_") if form == "underscores" else "diffusion_model." + path
        down, up = ("lora_A", "lora_B") if form == "lora_A" else ("lora_down", "lora_up")
        tensors[f"{stem}.{down}.weight"] = torch.randn(2, layer.in_features, generator=generator)
        tensors[f"{stem}.{up}.weight"] = torch.randn(layer.out_features, 2, generator=generator)
        if form != "lora_A":
            tensors[f"{stem}.alpha"] = torch.tensor(1.0)
    return tensors


@pytest.mark.parametrize("form", ["underscores", "lora_down", "lora_A"])
@pytest.mark.parametrize("name", ["sd1", "demo"])
def test_names_of_the_first_code_base(w2w, models, tmp_path, name, form):
    """diffusers converts the names with underscores; the same matrices under the others are the same LoRA."""
    tensors = with_ldm_names(models, name, form)
    save_file(tensors, tmp_path / "theirs.safetensors")
    unet = models(name).pipeline.unet
    state, alphas = _convert_non_diffusers_lora_to_diffusers(_maybe_map_sgm_blocks_to_diffusers(with_ldm_names(models, name, "underscores"), unet.config))
    scale = 1.0 if form == "lora_A" else 0.5
    expected = {key.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B."): tensor * (scale if ".up." in key else 1) for key, tensor in state.items()}
    assert len(expected) == 2 * sum(key.endswith(("lora_down.weight", "lora_A.weight")) for key in tensors) and set(alphas.values()) == {1.0}
    save_file({key: tensor.contiguous() for key, tensor in expected.items()}, tmp_path / "converted.safetensors")
    for file in ("theirs", "converted"):
        w2w("render", f"{file}.safetensors", "-m", models(name).folder, "--steps", 2, "-s", 1, "-p", "sks person", "-o", f"{file}.png")
    found, wanted = (np.asarray(Image.open(tmp_path / f"{file}.png")) for file in ("theirs", "converted"))
    assert np.array_equal(found, wanted) and found.std() > 5
