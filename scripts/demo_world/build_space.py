"""Stage 6: the space. Standardised PCA of all theta in f64, its projections, and labels from the true factors."""
import argparse
import csv
import hashlib
import json

import torch
from safetensors.torch import save_file

from factors import FACTORS, INDEX
from lora import ALPHA, ManyLoras
from world import PICTURES_PER_PERSON, SHARE, SIZE, WORK, load, make_unet, write_json

LABELS = {  # attribute: (factor, threshold, above)
    "Male": ("male", .5, True), "Dark_Skin": ("skin", .5, True), "Old": ("age", .5, True),
    "Blond_Hair": ("hair_light", .62, True), "Black_Hair": ("hair_light", .25, False),
    "Red_Hair": ("hair_red", .5, True), "Gray_Hair": ("grey", .5, True), "Long_Hair": ("hair_length", .5, True),
    "Bald": ("bald", .5, True), "Curly_Hair": ("curly", .5, True), "Bangs": ("fringe", .5, True),
    "Chubby": ("face_width", .5, True), "Square_Jaw": ("jaw", .5, True), "Big_Eyes": ("eye_size", .5, True),
    "Blue_Eyes": ("eye_colour", .66, True), "Bushy_Eyebrows": ("brow", .5, True), "Big_Nose": ("nose", .5, True),
    "Wide_Mouth": ("mouth", .5, True), "Big_Lips": ("lips", .5, True), "Eyeglasses": ("glasses", .5, True),
    "Beard": ("beard", .3, True), "Mustache": ("moustache", .5, True)}


def principal_components(theta, k):
    """(mean, std, components [k, P], projections [n, k], explained share [k]), all f64."""
    theta = theta.double()
    mean, std = theta.mean(0), theta.std(0)
    std = std + 1e-8 * (std == 0)  # a parameter that never moves stays where it is
    x = (theta - mean) / std
    _, s, components = torch.linalg.svd(x, full_matrices=False)
    sign = torch.sign(components.gather(1, components.abs().argmax(1, keepdim=True)))  # a fixed choice
    components = components[:k] * sign[:k]
    return mean, std, components, x @ components.T, (s ** 2 / (s ** 2).sum())[:k]


def write_tables(folder, names, people):
    with open(folder / "labels.csv", "w", newline="") as f:
        rows = csv.writer(f, lineterminator="\n")
        rows.writerow(["name", *LABELS])
        for name, z in zip(names, people):
            rows.writerow([name] + [1 if (z[INDEX[k]] > at) == above else -1 for k, at, above in LABELS.values()])
    with open(folder / "factors.csv", "w", newline="") as f:
        rows = csv.writer(f, lineterminator="\n")
        rows.writerow(["name", *FACTORS])
        for name, z in zip(names, people):
            rows.writerow([name] + [f"{v:.4f}" for v in z])


def build(theta, people, k, spread=1., steps=20):
    """Writes the space folder and loras.safetensors. people [n, factors]."""
    folder = SHARE / "space"
    folder.mkdir(parents=True, exist_ok=True)
    shapes = ManyLoras(make_unet()).shapes
    n, parameters = theta.shape
    names = [f"person_{i:03d}" for i in range(n)]
    mean, std, components, projections, share = principal_components(theta, k)
    basis = dict(mean=mean, std=std, components=components, explained_variance=share,
                 projection_mean=projections.mean(0), projection_std=projections.std(0))
    basis = {key: v.float().contiguous() for key, v in basis.items()}
    basis["components"] = basis["components"].half()
    save_file(basis, folder / "basis.safetensors")
    save_file(dict(projections=projections.float().contiguous()), folder / "projections.safetensors",
              metadata=dict(names=json.dumps(names)))
    save_file(dict(theta=theta.half().contiguous()), SHARE / "loras.safetensors", metadata=dict(names=json.dumps(names)))
    write_tables(folder, names, people)
    digest = hashlib.sha256(basis["mean"].numpy().astype("<f4").tobytes() + basis["std"].numpy().astype("<f4").tobytes())
    write_json(folder / "space.json", dict(
        format=1, base_model="w2w demo", hash=digest.hexdigest(), rank=1, alpha=int(ALPHA), parameters=parameters,
        components=k, models=n, modules=[{"name": name, "in": i, "out": o} for name, i, o in shapes],
        defaults=dict(prompt="sks person", negative_prompt="", cfg_scale=3.0, steps=steps, spread=spread,
                      width=SIZE, height=SIZE)))
    print(f"{n} people, {k} components explain {share.sum():.3f}; first ten {[round(v, 3) for v in share[:10].tolist()]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--components", type=int, default=60)
    parser.add_argument("--spread", type=float, default=1.)
    args = parser.parse_args()
    theta = load(WORK / "loras.pt")["theta"]
    people = load(WORK / "pictures_people.pt")["people"][::PICTURES_PER_PERSON][:len(theta)]
    build(theta, people, min(args.components, len(theta) - 1), args.spread)
