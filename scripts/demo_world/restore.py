"""Turns the shipped artefacts back into checkpoints, so that training can go on where the work folder is lost.

Afterwards: draw.py, tokenizer.py, encode.py, then train_base.py --minutes N --lr .004. The optimiser starts afresh.
"""
import json

import torch
from safetensors.torch import load_file

from muon import Muon
from tokenizer import build
from train_base import MUON, Models
from world import SHARE, WORK, save


def weights(name, file="diffusion_pytorch_model"):
    return {k: v.float() for k, v in load_file(SHARE / "model" / name / f"{file}.safetensors").items()}


if __name__ == "__main__":
    config = json.loads((SHARE / "model" / "vae" / "config.json").read_text())
    save(WORK / "vae.pt", dict(vae=weights("vae"), scaling_factor=config["scaling_factor"]))
    build()
    people = {k: v.float() for k, v in load_file(SHARE / "people_map.safetensors").items()}
    models = Models(torch.zeros(2, people["mean"].numel()))
    models.load(dict(unet=weights("unet"), text=weights("text_encoder", "model"), people=people))
    optimiser = Muon(models.named, lr=0., **MUON)
    save(WORK / "base.pt", models.state())
    save(WORK / "base_checkpoint.pt", dict(models=models.state(), optimiser=optimiser.state_dict(), step=0, spent=0.))
    print("restored", WORK.name)
