"""Measures `w2w invert` on people the space never saw: one drawing each, inverted and rendered by the program.

Recovery is the correlation over people between the true factors and what the regressor sees in the rendered pictures,
averaged over their noises. Retrieval is the share of people whose rendered factors are nearest, by the angle between
centred factors, to their own true ones. `carried` leaves
out the factors that the space hardly carries (README, gate 3).
"""
import argparse
import csv
import subprocess
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from factors import FACTORS
from regressor import load_regressor
from world import HELD_OUT, PICTURES_PER_PERSON, ROOT, WORK, load, write_json

CARRIED = [i for i, name in enumerate(FACTORS) if name not in ("age", "tilt", "mouth", "lips")]
VARIANTS = {  # name: options of w2w invert
    "real": "--preset real",
    "ood": "--preset ood",
    "fast": "--method fast",
}


def draw_people(n, folder):
    """Writes one plain portrait of each and the table for --batch-file; the true factors [n, F]."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = load(WORK / "pictures_held_out.pt")
    images, people = (drawn[key][::PICTURES_PER_PERSON][:n] for key in ("images", "people"))
    with open(folder / "people.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "image"])
        for i, image in enumerate(images):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:02d}.png")
            table.writerow([f"{i:02d}", f"{i:02d}.png"])
    return torch.tensor(people)


def invert_and_render(program, folder, options, seed, n, noises):
    """Pictures [n, noises, 3, H, W] in [0, 1] of the people inverted with these options; finished inversions are kept."""
    out = folder / f"{options} --seed {seed}".replace("--", "").replace(" ", "_")
    invert = ["invert", "--batch-file", folder / "people.csv", *options.split(), "--seed", seed, "-o", out, "-t", 1, "-q"]
    people = [out / f"{i:02d}.safetensors" for i in range(n)]
    render = ["render", *people, "--seed", f"1-{noises}", "--steps", 12, "--sampler", "ddim", "--cfg-scale", 3, "-o", out,
              "-t", 1, "-q", "--force"]
    for arguments in (invert, render):
        subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    read = lambda path: torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) / 255
    return torch.stack([torch.stack([read(out / f"{i:02d}_p1_s{s}.png") for s in range(1, noises + 1)]) for i in range(n)])


def correlation(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0) + 1e-9)


def judge(pictures, truth, regressor):
    """(correlation per factor [F], share retrieved); truth [n, F] in deviations."""
    with torch.no_grad():
        factors = regressor(pictures.flatten(0, 1))[0]
    seen = ((factors - regressor.mean) / regressor.std).view(*pictures.shape[:2], -1).mean(1)
    centred = [torch.nn.functional.normalize(x - x.mean(0), dim=1) for x in (seen, truth)]
    found = (centred[0] @ centred[1].T).argmax(1) == torch.arange(len(seen))
    return correlation(seen, truth), found.float().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=ROOT / "build" / "w2w")
    parser.add_argument("--people", type=int, default=24, help=f"at most {HELD_OUT}")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--noises", type=int, default=4)
    parser.add_argument("--folder", type=Path, default=WORK / "inversion", help="another for another space (W2W_SPACE)")
    parser.add_argument("--variant", nargs=2, action="append", metavar=("NAME", "OPTIONS"), help="instead of the usual ones")
    args = parser.parse_args()
    folder, (regressor, _) = args.folder, load_regressor()
    truth = (draw_people(args.people, folder) - regressor.mean) / regressor.std
    out = {}
    for name, options in args.variant or VARIANTS.items():
        draw = lambda seed: invert_and_render(args.program, folder, options, seed, args.people, args.noises)
        results = [judge(draw(seed), truth, regressor) for seed in range(args.seeds)]
        r, top = torch.stack([r for r, _ in results]), sum(top for _, top in results) / len(results)
        out[name] = dict(options=options, people=args.people, carried=round(r[:, CARRIED].mean().item(), 3),
                         all=round(r.mean().item(), 3), retrieval=round(top, 3),
                         by_factor={k: round(v, 2) for k, v in zip(FACTORS, r.mean(0).tolist())})
        print(name, out[name], flush=True)
    write_json(args.folder / "inversion.json", out)
