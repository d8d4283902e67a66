"""LoRA files: what w2w writes diffusers and PEFT load with the same result, what they write w2w reads.

Bounds are relative to the largest value compared. Run with -s to see the measured figures.
"""
import copy
import json

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_kohya
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from parity.tiny_spaces import make_space

BOUND = 1e-5


def difference(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def output_of(unet):
    config = unet.config
    generator = torch.Generator().manual_seed(7)
    latents = torch.randn(1, 4, config.sample_size, config.sample_size, generator=generator)
    text = torch.randn(1, 5, config.cross_attention_dim, generator=generator)
    return unet(latents, 321, text).sample


@pytest.fixture(params=["sd1", "sd2", "demo"])
def person(request, models, tmp_path):
    """A space of a tiny model, one identity in it, and the UNet with that identity's 27 B A added to its weights."""
    class Person:
        pipeline = models(request.param).pipeline
        space = make_space(pipeline.unet)
        folder = space.save_compact(tmp_path / "space")
        identity = tmp_path / "person.safetensors"
        coefficients = torch.randn(6, generator=torch.Generator().manual_seed(5))
        theta = space.theta(coefficients)
        unet = copy.deepcopy(pipeline.unet)

        def fresh_unet(self):
            return copy.deepcopy(self.pipeline.unet)

        def fresh_pipeline(self):
            return StableDiffusionPipeline(**self.pipeline.components | {"unet": self.fresh_unet()},
                                           requires_safety_checker=False)

    save_file({"coefficients": Person.coefficients}, Person.identity)
    for name, delta in Person.space.deltas(Person.theta).items():
        weight = Person.unet.get_submodule(name).weight
        weight.data = (weight.double() + delta).float()
    return Person()


def export(probe, person, form, path, dtype="f32"):
    probe("export", person.folder, person.identity, form, dtype, path)
    return path


def check_output(person, unet):
    expected = output_of(person.unet)
    assert difference(output_of(person.pipeline.unet), expected) > 0.05, "the identity must be visible"
    error = difference(output_of(unet), expected)
    print(f"UNet output with the exported LoRA: {error:.1e}")
    assert error <= BOUND


@pytest.mark.parametrize("form, name", [("kohya", "person.safetensors"),
                                        ("diffusers", "pytorch_lora_weights.safetensors")])
def test_diffusers_loads_exports(probe, person, tmp_path, form, name):
    (tmp_path / "out").mkdir()
    export(probe, person, form, tmp_path / "out" / name)
    pipeline = person.fresh_pipeline()
    pipeline.load_lora_weights(tmp_path / "out", weight_name=name)
    check_output(person, pipeline.unet)


def test_peft_loads_exports(probe, person, tmp_path):
    folder = export(probe, person, "peft", tmp_path / "peft")
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (1, 27, ["to_q", "to_v"])
    assert all(".lora_A.weight" in key or ".lora_B.weight" in key for key in load_file(folder / "adapter_model.safetensors"))
    check_output(person, PeftModel.from_pretrained(person.fresh_unet(), folder))


@pytest.mark.parametrize("form, name", [("kohya", "person.safetensors"), ("peft", "adapter_model.safetensors"),
                                        ("diffusers", "pytorch_lora_weights.safetensors")])
@pytest.mark.parametrize("dtype, epsilon", [("f32", 2**-23), ("f16", 2**-11), ("bf16", 2**-8)])
def test_exports_read_back(probe, person, tmp_path, form, name, dtype, epsilon):
    path = tmp_path / "out" if form == "peft" else tmp_path / name
    export(probe, person, form, path, dtype)
    file = path / name if form == "peft" else path
    with safe_open(file, "pt") as tensors:
        assert {tensors.get_slice(key).get_dtype() for key in tensors.keys()} == {dtype.upper()}
        assert not any(key.endswith(".alpha") for key in tensors.keys())
    probe("import", person.folder, path, tmp_path / "read.safetensors")
    read = load_file(tmp_path / "read.safetensors")
    for name, delta in person.space.deltas(person.theta).items():
        # Each factor is rounded once to `dtype`, and the vector once more to f32.
        assert difference(read[name + ".delta"], delta) <= 2.1 * epsilon + 1e-6


def save_peft(unet, config, folder):
    model = get_peft_model(unet, config)
    model.save_pretrained(folder)
    return folder


def save_pipeline_lora(unet, config, folder, **metadata):
    unet.add_adapter(config)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet), **metadata)
    return folder


def save_pipeline_lora_with_metadata(unet, config, folder):
    return save_pipeline_lora(unet, config, folder, unet_lora_adapter_metadata=config.to_dict())


def save_unet_adapter(unet, config, folder):
    unet.add_adapter(config)
    unet.save_lora_adapter(folder)
    return folder


def save_kohya(unet, config, folder):
    """diffusers' own converter: it writes .alpha = rank, an integer."""
    unet.add_adapter(config)
    state = {f"unet.{key}": value for key, value in get_peft_model_state_dict(unet).items()}
    folder.mkdir()
    save_file(convert_state_dict_to_kohya(state), folder / "x.safetensors")
    return folder / "x.safetensors"


@pytest.mark.parametrize("save, changes", [
    (save_peft, {}),
    (save_peft, dict(r=4)),
    (save_peft, dict(r=4, use_rslora=True)),
    (save_peft, dict(r=4, rank_pattern={"to_v": 2}, alpha_pattern={"attn1.to_q": 3})),
    # Regular expressions; the first that matches counts. In alphabetical order, in which PEFT saves them.
    (save_peft, dict(r=4, rank_pattern={r"down_blocks\..*\.to_v": 2, "to_[vq]": 1},
                     alpha_pattern={r"(?P<block>mid_block).*attn[12]\.to_q": 7, r"^up_blocks.*": 5, "attn1.to_.": 3, "to_q": 11})),
    (save_pipeline_lora, dict(r=4, lora_alpha=4)),
    (save_pipeline_lora_with_metadata, dict(r=2)),
    (save_unet_adapter, dict(r=2)),
    (save_kohya, dict(r=4, lora_alpha=4)),
])
def test_reads_what_others_write(probe, person, tmp_path, save, changes):
    config = LoraConfig(**dict(r=1, lora_alpha=27, target_modules=["to_q", "to_v"], init_lora_weights=False) | changes)
    unet = person.fresh_unet()
    path = save(unet, config, tmp_path / "theirs")
    probe("import", person.folder, path, tmp_path / "read.safetensors")
    read = load_file(tmp_path / "read.safetensors")
    worst = 0
    for name, *_ in person.space.modules:
        layer = unet.get_submodule(name)
        expected = layer.get_delta_weight("default").double()
        worst = max(worst, difference(read[name + ".delta"], expected))
        u, s, v = torch.linalg.svd(expected)
        assert difference(read[name + ".rank_one"], s[0] * torch.outer(u[:, 0], v[0])) <= BOUND
    assert {key.rsplit(".", 1)[0] for key in read} == {name for name, *_ in person.space.modules}
    print(f"deltas read: {worst:.1e}")
    assert worst <= BOUND


def test_kohya_hash_is_of_the_payload(probe, person, tmp_path):
    import hashlib
    path = export(probe, person, "kohya", tmp_path / "k.safetensors")
    data = path.read_bytes()
    payload = data[8 + int.from_bytes(data[:8], "little"):]
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["sshs_model_hash"] == hashlib.sha256(payload).hexdigest()
    assert metadata["modelspec.hash_sha256"] == "0x" + metadata["sshs_model_hash"]
