"""Stage 1: draws all pictures. base: random pictures; people, held_out: ten pictures per person.

Seven of a person's ten pictures are plain portraits, three show a scene, a smile or a hat."""
import argparse
from multiprocessing import Pool

import numpy as np
import torch

from factors import sample_nuisance, sample_people
from faces import render
from world import HELD_OUT, PEOPLE, PICTURES_PER_PERSON, SIZE, WORK, save

CHUNK = 32


def draw_chunk(job):
    people, nuisance = job
    torch.set_num_threads(1)
    return (render(people, nuisance, SIZE) * 255).round().byte()


def draw(name, people, nuisance, processes):
    slices = [slice(i, i + CHUNK) for i in range(0, len(people), CHUNK)]
    jobs = [(people[s], {k: v[s] for k, v in nuisance.items()}) for s in slices]
    with Pool(processes) as pool:
        images = torch.cat(list(pool.imap(draw_chunk, jobs)))
    save(WORK / f"pictures_{name}.pt", dict(images=images, people=people, nuisance=nuisance))
    print(name, tuple(images.shape), flush=True)


def draw_people(name, n, seed, processes):
    rng, m = np.random.default_rng(seed), PICTURES_PER_PERSON
    people = np.repeat(sample_people(n, rng), m, 0)
    plain, varied = sample_nuisance(n * m, rng, plain=True), sample_nuisance(n * m, rng, scene_share=.9)
    use_plain = np.arange(n * m) % m < 7
    pick = lambda a, b: np.where(use_plain.reshape(-1, *[1] * (a.ndim - 1)), a, b)
    draw(name, people, {k: pick(plain[k], varied[k]) for k in plain}, processes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20000)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    if not (WORK / "pictures_base.pt").exists():
        draw("base", sample_people(args.pictures, rng), sample_nuisance(args.pictures, rng), args.processes)
    if not (WORK / "pictures_people.pt").exists():
        draw_people("people", PEOPLE, 2, args.processes)
    if not (WORK / "pictures_held_out.pt").exists():
        draw_people("held_out", HELD_OUT, 3, args.processes)
