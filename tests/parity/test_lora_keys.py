"""Every tool finds the matrix that each tensor of an exported LoRA is meant for, on all 64 matrices of Stable Diffusion 1.5.

The rules are written down here from what the tools' sources do:

| tool | repository | file | rule |
|---|---|---|---|
| sd-scripts | kohya-ss/sd-scripts | networks/lora.py, LoRANetwork, create_network_from_weights | a linear layer below a Transformer2DModel is "lora_unet_" + its path with _ for . ; no alpha means alpha = rank |
| A1111 | AUTOMATIC1111/stable-diffusion-webui | extensions-builtin/Lora/networks.py, convert_diffusers_name_to_compvis | patterns turn the path into the single file's, with _ for . |
| ComfyUI | comfyanonymous/ComfyUI | comfy/lora.py, model_lora_keys_unet; comfy/utils.py, unet_to_diffusers | a table from "lora_unet_" + diffusers path with _ for . to the single file's path |
| InvokeAI | invoke-ai/InvokeAI | invokeai/backend/patches/layer_patcher.py, _get_submodule | walks the model, joining words with _ until a child has that name |
| sd.cpp | leejet/stable-diffusion.cpp | src/name_conversion.cpp, convert_sep_to_dot | _ becomes . except within known words |
"""
import re

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import save_file

from parity.ldm_names import unet_name
from parity.tiny_models import CROSS, PLAIN, unet_shape
from parity.tiny_spaces import make_space

SD15 = unet_shape((320, 640, 1280, 1280), [CROSS, CROSS, CROSS, PLAIN], attention_head_dim=8, cross_attention_dim=768)


@pytest.fixture(scope="module")
def unet():
    with torch.device("meta"):
        return UNet2DConditionModel(**SD15)


@pytest.fixture
def exported(w2w, unet, tmp_path):
    """{module: stem of its keys} of a kohya file; the space alone is enough to make it."""
    space = make_space(unet, components=1, models=3)
    save_file({"coefficients": torch.zeros(1)}, tmp_path / "person.safetensors")
    w2w("export", "person.safetensors", "--space", space.save_compact(tmp_path / "space"), "-o", "lora.safetensors")
    with safe_open(tmp_path / "lora.safetensors", "pt") as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}
    stems = {"lora_unet_" + name.replace(".", "_"): name for name, *_ in space.modules}
    assert len(stems) == 64 and shapes == {
        stem + part: shape for stem, name in stems.items() for _, columns, rows in [next(m for m in space.modules if m[0] == name)]
        for part, shape in ((".lora_down.weight", (1, columns)), (".lora_up.weight", (rows, 1)))}
    return {name: stem for stem, name in stems.items()}


def sd_scripts(unet):
    found = {}
    for name, module in unet.named_modules():
        if type(module).__name__ == "Transformer2DModel":
            for child, layer in module.named_modules():
                if isinstance(layer, torch.nn.Linear):
                    found["lora_unet_" + f"{name}.{child}".replace(".", "_")] = f"{name}.{child}"
    return found


def a1111(stem):
    if match := re.match(r"lora_unet_down_blocks_(\d+)_attentions_(\d+)_(.+)", stem):
        return f"diffusion_model_input_blocks_{1 + int(match[1]) * 3 + int(match[2])}_1_{match[3]}"
    if match := re.match(r"lora_unet_mid_block_attentions_(\d+)_(.+)", stem):
        return f"diffusion_model_middle_block_1_{match[2]}"
    match = re.match(r"lora_unet_up_blocks_(\d+)_attentions_(\d+)_(.+)", stem)
    return f"diffusion_model_output_blocks_{int(match[1]) * 3 + int(match[2])}_1_{match[3]}"


def comfy():
    """Its table for the shapes above: [blocks going down], two resnets each, attention in the first three levels."""
    table, parts = {}, [f"transformer_blocks.0.{attention}.{layer}" for attention in ("attn1", "attn2")
                        for layer in ("to_q", "to_k", "to_v", "to_out.0")]
    for level in range(3):
        for index in range(2):
            for part in parts:
                table[f"down_blocks.{level}.attentions.{index}.{part}"] = f"input_blocks.{1 + 3 * level + index}.1.{part}"
        for index in range(3):
            for part in parts:
                table[f"up_blocks.{level + 1}.attentions.{index}.{part}"] = f"output_blocks.{3 * (level + 1) + index}.1.{part}"
    for part in parts:
        table[f"mid_block.attentions.0.{part}"] = f"middle_block.1.{part}"
    return {"lora_unet_" + ours.replace(".", "_"): "diffusion_model." + theirs for ours, theirs in table.items()}


def invoke(unet, stem):
    words = stem.removeprefix("lora_unet_").split("_")
    module, path, name = unet, [], words.pop(0)
    while True:
        if name in dict(module.named_children()):
            module, path = module.get_submodule(name), path + [name]
            if not words:
                return ".".join(path)
            name = words.pop(0)
        else:
            name += "_" + words.pop(0)


def sd_cpp(stem):
    known = ["down_blocks", "mid_block", "up_blocks", "transformer_blocks", "to_q", "to_k", "to_v", "to_out"]
    path = stem.removeprefix("lora_unet_")
    for word in known:
        path = path.replace(word, word.replace("_", "\0"))
    return path.replace("_", ".").replace("\0", "_")


def test_every_tool_finds_every_matrix(exported, unet):
    trained, table = sd_scripts(unet), comfy()
    for module, stem in exported.items():
        single_file = "diffusion_model." + unet_name(module)
        assert trained[stem] == module, "sd-scripts"
        assert a1111(stem) == single_file.replace(".", "_"), "A1111"
        assert table[stem] == single_file, "ComfyUI"
        assert invoke(unet, stem) == module, "InvokeAI"
        assert sd_cpp(stem) == module, "stable-diffusion.cpp"
