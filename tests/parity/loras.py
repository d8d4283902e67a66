"""Random LoRAs of a tiny model, as weight vectors and as files in the formats of other tools."""
import json

import numpy as np
import torch
from safetensors.torch import save_file

from parity.tiny_spaces import ALPHA


def draw_models(modules, count, seed=0, inner=8, noise=0.05):
    """[count, P] f32: a common start, a few strong directions whose size falls off, and noise."""
    rng = np.random.default_rng(seed)
    parameters = sum(columns + rows for _, columns, rows in modules)
    scores = rng.standard_normal((count, inner)) * 0.7 ** np.arange(inner)
    models = rng.standard_normal(parameters) + scores @ rng.standard_normal((inner, parameters)) * 0.2
    models += noise * rng.standard_normal((count, parameters))
    return (0.1 * models).astype(np.float32)


def factors(modules, theta):
    """{module: (A [1, in], B [out, 1])}, W' = W + 27 B A."""
    result, at = {}, 0
    theta = torch.as_tensor(theta)
    for name, columns, rows in modules:
        result[name] = (theta[at:at + columns].view(1, -1), theta[at + columns:at + columns + rows].view(-1, 1))
        at += columns + rows
    return result


def save_kohya(modules, theta, path):
    """The scale folded into up, as everybody reads it."""
    tensors = {}
    for name, (a, b) in factors(modules, theta).items():
        key = "lora_unet_" + name.replace(".", "_")
        tensors[f"{key}.lora_down.weight"], tensors[f"{key}.lora_up.weight"] = a.clone(), (ALPHA * b).clone()
    save_file(tensors, path)
    return path


def save_peft(modules, theta, folder):
    folder.mkdir(parents=True)
    tensors = {}
    for name, (a, b) in factors(modules, theta).items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = a.clone()
        tensors[f"base_model.model.{name}.lora_B.weight"] = b.clone()
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(
        {"peft_type": "LORA", "r": 1, "lora_alpha": ALPHA, "target_modules": ["to_q", "to_v"]}))
    return folder


def save_diffusers(modules, theta, path):
    tensors = {}
    for name, (a, b) in factors(modules, theta).items():
        tensors[f"unet.{name}.lora_A.weight"], tensors[f"unet.{name}.lora_B.weight"] = a.clone(), (ALPHA * b).clone()
    save_file(tensors, path)
    return path


def save_matrix(models, path, names=None):
    metadata = {"names": json.dumps(names)} if names else None
    save_file({"theta": torch.as_tensor(models).contiguous()}, path, metadata)
    return path
