"""Stage 5: the people's pictures as PNG files and the table that `w2w train --batch-file` reads.

A prompt is "sks person" with what does not belong to the person: scene, hat, smile.
"""
import argparse
import csv
import random

from PIL import Image

from captions import circumstances
from world import PICTURES_PER_PERSON, WORK, load

FOLDER = WORK / "people"


def write(count):
    drawn = load(WORK / "pictures_people.pt")
    scene, hat, smile = (drawn["nuisance"][key] for key in ("scene", "hat", "smile"))
    (FOLDER / "pictures").mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "people.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", "image", "prompt"])
        for i in range(count * PICTURES_PER_PERSON):
            person, picture = divmod(i, PICTURES_PER_PERSON)
            path = FOLDER / "pictures" / f"person_{person:03d}_{picture}.png"
            if not path.exists():
                Image.fromarray(drawn["images"][i].permute(1, 2, 0).numpy()).save(path)
            rows.writerow([f"person_{person:03d}", path.relative_to(FOLDER),
                           "sks person" + circumstances(scene[i], hat[i], smile[i], random.Random(i))])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=208)
    write(parser.parse_args().people)
