"""Stage 5: one LoRA per person, on that person's ten pictures, starting from the people map.

Many people share a batch (lora.py); two processes take turns at the chunks. Prompts: "sks person" with the
circumstances of the picture (scene, hat, smile); some are emptied.
"""
import argparse
import random
import time

import torch
from torch import multiprocessing

from captions import circumstances
from train_base import DROP, load_data, load_models
from world import PICTURES_PER_PERSON, WORK, add_noise, fade, load, loss_weight, save, stratified_timesteps

CHUNK, EACH = 8, 4  # people in a batch, pictures of each in a step
FOLDER = WORK / "loras"


def people_data():
    pictures, m = load(WORK / "pictures_people.pt"), PICTURES_PER_PERSON
    latents = load(WORK / "latents_people.pt")
    return dict(people=pictures["people"][::m], nuisance=pictures["nuisance"],
                latents=latents.view(-1, m, *latents.shape[1:]))


def loss_of(models, theta, x, texts, generator):
    """Weighted loss of each person, [people]; x [people, EACH, 4, 16, 16]."""
    n, m = x.shape[:2]
    t = torch.cat([stratified_timesteps(m, generator) for _ in range(n)])
    x = x.flatten(0, 1)
    noise = torch.randn(x.shape, generator=generator)
    models.loras.set(theta)
    error = models.unet(add_noise(x, t, noise), t, texts).sample - noise
    return (error.pow(2).mean((1, 2, 3)) * loss_weight(t)).view(n, m).mean(1)


def pick(data, first, n, models, generator, r):
    """EACH random pictures of n people from index first on, and their embedded prompts."""
    chosen = torch.stack([torch.randperm(PICTURES_PER_PERSON, generator=generator)[:EACH] for _ in range(n)])
    x = torch.stack([data["latents"][first + k, chosen[k]] for k in range(n)])
    flat = ((first + torch.arange(n))[:, None] * PICTURES_PER_PERSON + chosen).flatten().tolist()
    scene, hat, smile = (data["nuisance"][k] for k in ("scene", "hat", "smile"))
    texts = ["" if r.random() < DROP else "sks person" + circumstances(scene[i], hat[i], smile[i], r) for i in flat]
    with torch.no_grad():
        return x, models.embed(texts)


def train_chunk(models, data, first, args):
    n = min(CHUNK, args.people - first)
    generator, r = torch.Generator().manual_seed(first), random.Random(first)
    with torch.no_grad():
        theta = models.people(data["people"][first:first + n])
    theta.requires_grad_(True)
    optimiser, losses = torch.optim.Adam([theta], lr=args.lr, betas=(.9, .99)), []
    for step in range(args.steps):
        optimiser.param_groups[0]["lr"] = args.lr * fade(step, 5, step / args.steps)
        loss = loss_of(models, theta, *pick(data, first, n, models, generator, r), generator)
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
        losses.append(loss.mean().item())
    return theta.detach(), losses


def worker(job):
    rank, args = job
    torch.set_num_threads(1)
    data = people_data()
    models = load_models(load_data())
    for first in range(rank * CHUNK, args.people, args.processes * CHUNK):
        path, start = FOLDER / f"{first:04d}.pt", time.time()
        if path.exists() and not args.again:
            continue
        theta, losses = train_chunk(models, data, first, args)
        save(path, theta)
        third = max(1, len(losses) // 3)
        if losses:
            print(f"people from {first}: {time.time() - start:.0f} s, loss {sum(losses[:third]) / third:.4f} -> "
                  f"{sum(losses[-third:]) / third:.4f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=208)
    parser.add_argument("--steps", type=int, default=10, help="0 keeps the people map's theta")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="train people that have a LoRA once more")
    args = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=worker, args=((rank, args),)) for rank in range(args.processes)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    parts = [load(FOLDER / f"{first:04d}.pt") for first in range(0, args.people, CHUNK)]
    save(WORK / "loras.pt", dict(theta=torch.cat(parts)))
    print("theta", tuple(torch.cat(parts).shape))
