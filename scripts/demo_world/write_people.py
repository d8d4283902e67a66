"""Stage 5: what `w2w train --batch-file` reads: the people's pictures, LoRAs to start from, and their table.

A prompt is "sks person" with what does not belong to the person: scene, hat, smile. People start where the people
map, which the base model was trained with, puts them by their true factors.
"""
import argparse
import csv
import random

import torch
from PIL import Image

from captions import circumstances
from lora import save_theta
from train_base import load_models
from world import PICTURES_PER_PERSON, WORK, load

FOLDER = WORK / "people"


def write_starts(count):
    models, folder = load_models(), FOLDER / "starts"
    folder.mkdir(parents=True, exist_ok=True)
    people = load(WORK / "pictures_people.pt")["people"][::PICTURES_PER_PERSON][:count]
    with torch.no_grad():
        for i, theta in enumerate(models.people(people)):
            save_theta(theta, models.loras.shapes, folder / f"person_{i:03d}.safetensors")


def write_pictures(count):
    drawn = load(WORK / "pictures_people.pt")
    scene, hat, smile = (drawn["nuisance"][key] for key in ("scene", "hat", "smile"))
    (FOLDER / "pictures").mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "people.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", "image", "prompt", "start"])
        for i in range(count * PICTURES_PER_PERSON):
            person, picture = divmod(i, PICTURES_PER_PERSON)
            path = FOLDER / "pictures" / f"person_{person:03d}_{picture}.png"
            if not path.exists():
                Image.fromarray(drawn["images"][i].permute(1, 2, 0).numpy()).save(path)
            rows.writerow([f"person_{person:03d}", path.relative_to(FOLDER),
                           "sks person" + circumstances(scene[i], hat[i], smile[i], random.Random(i)),
                           f"starts/person_{person:03d}.safetensors"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=208)
    count = parser.parse_args().people
    write_starts(count)
    write_pictures(count)
