"""Draws the aliens of the tutorial: a second kind of thing, for a tiny space of its own.

They have the people's faces in colours that no person of the demo world has. Writes a folder with the pictures, aliens.csv
(name,image,prompt: what `w2w train --batch-file` reads) and labels.csv (+1, -1: what `w2w direction fit` reads).
"""
import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import faces
from factors import FACTORS, INDEX, sample_nuisance

ALIENS, PICTURES, COLOURS, PROMPT = 24, 8, 128, "sks person"
SKIN = [(176, 232, 96), (84, 200, 112), (50, 164, 190), (84, 112, 220), (142, 84, 206)]
HAIR = [(60, 24, 84), (130, 40, 140), (222, 70, 150), (250, 150, 110), (255, 224, 120)]
IRIS = [(200, 40, 40), (226, 90, 30), (250, 160, 30), (250, 200, 40), (255, 232, 80)]
LABELS = {"Violet": "skin", "Bald": "bald", "Long_Hair": "hair_length", "Curly_Hair": "curly", "Eyeglasses": "glasses",
          "Big_Eyes": "eye_size", "Chubby": "face_width"}
LEVELS = {"skin": (.1, .9), "hair_length": (.15, .85), "eye_size": (.2, 1), "face_width": (.15, .85)}  # others: 0, 1


def sample_aliens(rng):
    """[ALIENS, F]. What is labelled is high in half of them and low in the others (bald: a third), independently; the rest is chance."""
    z = np.full((ALIENS, len(FACTORS)), .5, np.float32)
    for name in LABELS.values():
        low, high = LEVELS.get(name, (0, 1))
        side = rng.permutation(ALIENS) % (3 if name == "bald" else 2) == 0
        blur = .2 * (rng.random(ALIENS) - .5) if name in LEVELS else 0
        z[:, INDEX[name]] = np.where(side, high, low) + blur
    for name in ("hair_light", "fringe", "nose", "lips", "eye_colour"):
        z[:, INDEX[name]] = rng.random(ALIENS)
    for name in ("age", "grey", "hair_red", "beard", "moustache"):
        z[:, INDEX[name]] = 0
    return z.clip(0, 1)


def render(aliens, nuisance):
    """Pictures [B, 3, 64, 64] in [0, 1]: the people's painter with other colours on the palette."""
    faces.SKIN, faces.HAIR, faces.IRIS = SKIN, HAIR, IRIS
    return faces.render(aliens, nuisance)


def write_table(path, columns, rows):
    with open(path, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def write(folder, aliens, pictures):
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    names, rows = [f"alien_{i:02d}" for i in range(ALIENS)], []
    for i, picture in enumerate(pictures):
        path = f"pictures/{names[i // PICTURES]}_{i % PICTURES}.png"
        pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
        few = Image.fromarray(pixels).quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(folder / path, optimize=True)
        rows.append([names[i // PICTURES], path, PROMPT])
    write_table(folder / "aliens.csv", ["name", "image", "prompt"], rows)
    labels = [[1 if z[INDEX[k]] > .5 else -1 for k in LABELS.values()] for z in aliens]
    write_table(folder / "labels.csv", ["name", *LABELS], [[name, *row] for name, row in zip(names, labels)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "examples" / "aliens")
    args = parser.parse_args()
    rng = np.random.default_rng(6)
    aliens = sample_aliens(rng)
    write(args.out, aliens, render(np.repeat(aliens, PICTURES, 0), sample_nuisance(ALIENS * PICTURES, rng, plain=True)))
