"""Turns the shipped artefacts, or base.safetensors if it has seen more steps (keep.py), back into checkpoints, so that training can go on
where the work folder is lost.

Afterwards: draw.py, encode.py, then train_base.py; background.sh does it all. The optimiser starts afresh, the count of steps does not.
"""
import json

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from keep import KEPT
from tokenizer import build
from train_base import Models
from world import SHARE, WORK, save

SECOND_EDITION = 2490  # steps; it did not write them down


def weights(name, file="diffusion_pytorch_model"):
    return {k: v.float() for k, v in load_file(SHARE / "model" / name / f"{file}.safetensors").items()}


def shipped():
    with safe_open(SHARE / "people_map.safetensors", "pt") as file:
        step = int((file.metadata() or {}).get("steps", SECOND_EDITION))
        people = {k: file.get_tensor(k).float() for k in file.keys()}
    return dict(unet=weights("unet"), text=weights("text_encoder", "model"), people=people), step


def kept():
    parts = dict(unet={}, text={}, people={})
    with safe_open(KEPT, "pt") as file:
        for key in file.keys():
            part, name = key.split(":", 1)
            parts[part][name] = file.get_tensor(key).float()
        return parts, int(file.metadata()["steps"])


if __name__ == "__main__":
    config = json.loads((SHARE / "model" / "vae" / "config.json").read_text())
    save(WORK / "vae.pt", dict(vae=weights("vae"), scaling_factor=config["scaling_factor"]))
    build()
    parts, step = max([shipped()] + ([kept()] if KEPT.exists() else []), key=lambda found: found[1])
    models = Models(torch.zeros(2, parts["people"]["mean"].numel()))
    models.load(parts)
    save(WORK / "base.pt", models.state() | dict(step=step))
    save(WORK / "base_checkpoint.pt", dict(models=models.state(), step=step, age=0))
    print("restored", WORK.name, "at step", step)
