"""What is true of the people: labels.csv (+1, -1), which `w2w direction fit` reads, and factors.csv, the numbers behind it."""
import argparse
import csv
from pathlib import Path

from factors import FACTORS, INDEX
from world import PICTURES_PER_PERSON, SHARE, WORK, load

LABELS = {  # attribute: (factor, threshold, above)
    "Male": ("male", .5, True), "Dark_Skin": ("skin", .5, True), "Old": ("age", .5, True),
    "Blond_Hair": ("hair_light", .62, True), "Black_Hair": ("hair_light", .25, False),
    "Red_Hair": ("hair_red", .5, True), "Gray_Hair": ("grey", .5, True), "Long_Hair": ("hair_length", .5, True),
    "Bald": ("bald", .5, True), "Curly_Hair": ("curly", .5, True), "Bangs": ("fringe", .5, True),
    "Chubby": ("face_width", .5, True), "Square_Jaw": ("jaw", .5, True), "Big_Eyes": ("eye_size", .5, True),
    "Blue_Eyes": ("eye_colour", .66, True), "Bushy_Eyebrows": ("brow", .5, True), "Big_Nose": ("nose", .5, True),
    "Wide_Mouth": ("mouth", .5, True), "Big_Lips": ("lips", .5, True), "Eyeglasses": ("glasses", .5, True),
    "Beard": ("beard", .3, True), "Mustache": ("moustache", .5, True)}


def write_table(path, columns, names, rows):
    with open(path, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", *columns])
        table.writerows([name, *row] for name, row in zip(names, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=208)
    parser.add_argument("--out", type=Path, default=SHARE / "space")
    args = parser.parse_args()
    people = load(WORK / "pictures_people.pt")["people"][::PICTURES_PER_PERSON][:args.people]
    names = [f"person_{i:03d}" for i in range(len(people))]
    labels = [[1 if (z[INDEX[k]] > at) == above else -1 for k, at, above in LABELS.values()] for z in people]
    write_table(args.out / "labels.csv", LABELS, names, labels)
    write_table(args.out / "factors.csv", FACTORS, names, [[f"{v:.4f}" for v in z] for z in people])
