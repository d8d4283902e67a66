"""Contact sheets to look at: words.png, people.png (trained) and sampled.png, in the work folder.

people.png: two drawings, four noises, then beach, night, hat. sampled.png: the same without drawings.
"""
import argparse

import torch
from safetensors.torch import load_file

from lora import theta_of_all
from measure import WORDS, World
from pictures import sheet
from world import PICTURES_PER_PERSON, SHARE, WORK, load

SCENES = ("sks person on the beach", "sks person at night", "sks person wearing a hat")


def rows_of(world, theta):
    """Per person: four noises and the three scenes, [people, 7, 3, 64, 64]."""
    parts = [world.draw(theta, "sks person", 4)] + [world.draw(theta, p, 1, seed=1) for p in SCENES]
    return torch.cat(parts, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--spread", type=float, default=1.)
    args = parser.parse_args()
    world, n = World(), args.people
    words = [world.draw(None, p, 4)[0] for p in list(WORDS)]
    sheet(torch.cat(words), 8, WORK / "words.png", 2)
    theta = theta_of_all(WORK / "loras", world.models.loras.shapes, n)
    pictures = load(WORK / "pictures_people.pt")["images"].view(-1, PICTURES_PER_PERSON, 3, 64, 64)[:n, :2].float() / 255
    sheet(torch.cat([pictures, rows_of(world, theta)], 1).flatten(0, 1), 9, WORK / "people.png", 2)
    basis = load_file(SHARE / "space" / "basis.safetensors")
    c = torch.randn(n, len(basis["components"]), generator=torch.Generator().manual_seed(5))
    c = basis["projection_mean"] + args.spread * c * basis["projection_std"]
    sampled = c @ basis["components"].float() * basis["std"] + basis["mean"]
    sheet(rows_of(world, sampled).flatten(0, 1), 7, WORK / "sampled.png", 2)
