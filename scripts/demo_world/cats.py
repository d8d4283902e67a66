"""Draws the cats of the tutorial: a second kind of thing, for a tiny space of its own.

Writes a folder with the pictures, cats.csv (name,image,prompt: what `w2w train --manifest` reads) and labels.csv
(+1 and -1 for every known factor: what `w2w direction fit` reads).
"""
import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import sdf
from canvas import Canvas, ramp, rgb

SIZE, CATS, PICTURES, COLOURS, PROMPT = 64, 36, 6, 128, "sks cat"
LABELS = {"Dark": "dark", "Ginger": "ginger", "Striped": "stripes", "White_Muzzle": "muzzle", "Big_Ears": "ears",
          "Blue_Eyes": "eyes", "Chubby": "width"}
FUR = [(232, 220, 200), (178, 160, 140), (112, 102, 98), (52, 48, 52)]
GINGER = [(246, 200, 140), (234, 160, 84), (202, 116, 50), (146, 76, 34)]
EYES = [(236, 190, 60), (190, 200, 70), (96, 190, 120), (80, 170, 235)]
SIDES = (-1, 1)


def sample_cats(n, rng):
    """Every factor is high in half of the cats, low in the other half, and independent of the others."""
    def halves(low, high, width):
        side = rng.permutation(n) % 2
        return np.where(side, high, low) + width * (rng.random(n) - .5)
    cats = dict(dark=halves(.2, .85, .3), ginger=halves(0, 1, 0), stripes=halves(0, 1, 0), muzzle=halves(0, 1, 0),
                ears=halves(.15, .85, .3), eyes=halves(.15, 1, .3), width=halves(.2, .8, .3))
    return {k: np.clip(v, 0, 1).astype(np.float32) for k, v in cats.items()}


def sample_nuisance(n, rng):
    """What changes from picture to picture of one cat: a small shift and turn, the light, the wall behind."""
    small = dict(dx=.012 * rng.normal(size=n), dy=.008 * rng.normal(size=n), turn=.02 * rng.normal(size=n),
                 light=rng.uniform(.6, 1, n))
    return {k: np.asarray(v, np.float32) for k, v in small.items()} | dict(wall=rng.random((n, 3)).astype(np.float32))


def triangle(x, y, left, right, tip_x, tip_y, base_y):
    """The region below the two sides that meet at the tip, above base_y; distances are near enough."""
    def side(ax, sign):
        dx, dy = tip_x - ax, tip_y - base_y
        return sign * ((x - ax) * dy - (y - base_y) * dx) / torch.sqrt(dx ** 2 + dy ** 2)
    return sdf.both(side(left, 1), side(right, -1), y - base_y)


def ears(c, g, x, y, fur, w):
    tip, size = -.66 - .2 * g["ears"], .17 + .08 * g["ears"]
    for k in SIDES:
        mirrored, middle = x * k, w * .66
        outer = triangle(mirrored, y, middle - size, middle + size * .6, middle + .06 + .05 * g["ears"], tip, -.16 + 0 * tip)
        c.put(fur * .9, c.cover(outer - .02))
        inner = triangle(mirrored, y, middle - size * .5, middle + size * .45, middle + .05 + .05 * g["ears"], tip + .13, -.2 + 0 * tip)
        c.put(rgb(226, 150, 146), c.cover(inner) * .9)


def stripes(c, g, x, y, fur, head):
    on = g["stripes"] * c.cover(head)
    for k in (-1, 0, 1):
        c.put(fur * .42, c.cover(sdf.capsule(x, y, .13 * k, -.50, .10 * k, -.27 - .05 * (k == 0), .026)) * on)
    for k in SIDES:
        for row in (0, 1):
            level = .10 + .15 * row
            c.put(fur * .42, c.cover(sdf.capsule(x, y, k * .36, level, k * .62, level - .05, .024)) * on)


def face(c, g, x, y, ear_to_ear):
    iris = ramp(g["eyes"], EYES)
    for k in SIDES:
        ex, ey = x - k * .205, y + .045
        white = sdf.ellipse(ex, ey + .18 * k * ex, .105, .088)
        c.put(rgb(34, 28, 30), c.cover(white - .018))
        c.put(iris, c.cover(white))
        c.put(rgb(14, 12, 16), c.cover(sdf.ellipse(ex, ey, .034, .078)))
        c.put(rgb(255, 255, 255), c.cover(sdf.circle(ex + .03, ey + .035, .022)))
    nose = sdf.ellipse(x, y - .175, .06, .042)
    c.put(rgb(224, 122, 128), c.cover(nose))
    line = rgb(58, 40, 42)
    c.put(line, c.cover(sdf.capsule(x, y, 0., .20, 0., .26, .009)) * .8)
    for k in SIDES:
        c.put(line, c.cover(sdf.capsule(x, y, 0., .26, k * .085, .30, .010)) * .8)
        for row in (-1, 0, 1):
            whisker = sdf.capsule(x, y, k * .17, .23 + .025 * row, k * (ear_to_ear + .10), .20 + .085 * row, .006)
            c.put(rgb(250, 248, 244), c.cover(whisker) * .75)


@torch.no_grad()
def render(cats, nuisance, size=SIZE):
    """Pictures [B, 3, size, size] in [0, 1]."""
    c, b = Canvas(len(nuisance["dx"]), size), len(nuisance["dx"])
    g = {k: torch.as_tensor(v).view(b, 1, 1) for k, v in cats.items()}
    n = {k: torch.as_tensor(v).view(b, 1, 1) for k, v in nuisance.items() if k != "wall"}
    wall = .45 + .5 * torch.as_tensor(nuisance["wall"])[:, :, None, None]
    c.put(wall * (1.04 - .12 * (c.y + 1) / 2)[:, None], torch.ones(b, size, size))
    x0, y0 = c.face_x - n["dx"], c.face_y - n["dy"] - .06
    x, y = x0 + n["turn"] * (y0 - .5), y0 - n["turn"] * x0
    plain, red = ramp(g["dark"], FUR), ramp(g["dark"], GINGER)
    tone = 1 + .10 * n["light"] * x / .5
    fur = torch.lerp(plain, red, g["ginger"][:, None]) * tone[:, None]
    w = .44 + .12 * g["width"]
    white = rgb(250, 246, 240) * tone[:, None]
    c.put(fur * .86, c.cover(sdf.ellipse(x, y - 1.0, .46 + .18 * g["width"], .62)))
    c.put(white, c.cover(sdf.ellipse(x, y - .92, .2 + 0 * w, .40)) * g["muzzle"])
    ears(c, g, x, y, fur, w)
    head = sdf.ellipse(x, y - .05, w, .46)
    c.put(fur * .7, c.cover(sdf.ellipse(x, y - .09, w, .46)) * .6)
    c.put(fur, c.cover(head))
    stripes(c, g, x, y, fur, head)
    cheeks = torch.minimum(sdf.ellipse(x.abs() - .09, y - .235, .135, .115), sdf.ellipse(x, y - .12, .075, .19))
    c.put(white, c.cover(cheeks) * g["muzzle"])
    face(c, g, x, y, w)
    return c.image.clamp(0, 1)


def write(folder, cats, pictures):
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    names = [f"cat_{i:02d}" for i in range(CATS)]
    with open(folder / "cats.csv", "w", newline="") as f:
        rows = csv.writer(f, lineterminator="\n")
        rows.writerow(["name", "image", "prompt"])
        for i, picture in enumerate(pictures):
            path = f"pictures/{names[i // PICTURES]}_{i % PICTURES}.png"
            pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
            Image.fromarray(pixels).quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(folder / path, optimize=True)
            rows.writerow([names[i // PICTURES], path, PROMPT])
    with open(folder / "labels.csv", "w", newline="") as f:
        rows = csv.writer(f, lineterminator="\n")
        rows.writerow(["name", *LABELS])
        for i, name in enumerate(names):
            rows.writerow([name] + [1 if cats[k][i] > .5 else -1 for k in LABELS.values()])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "examples" / "cats")
    args = parser.parse_args()
    rng = np.random.default_rng(4)
    cats = sample_cats(CATS, rng)
    repeated = {k: np.repeat(v, PICTURES) for k, v in cats.items()}
    write(args.out, cats, render(repeated, sample_nuisance(CATS * PICTURES, rng)))
