"""Stage 3: the latents of all pictures, scaled to deviation one. The autoencoder is frozen from here on."""
import argparse

import torch
from torch import multiprocessing

from world import WORK, load, make_vae, save

SETS = ("base",)


def frozen_vae():
    state = load(WORK / "vae.pt")
    vae = make_vae(state["scaling_factor"])
    vae.load_state_dict(state["vae"])
    return vae.eval().requires_grad_(False)


def encode_part(images):
    vae = frozen_vae()
    with torch.no_grad():
        parts = [vae.encode(x.float() / 127.5 - 1).latent_dist.mean for x in images.split(32)]
    return torch.cat(parts) * vae.config.scaling_factor


def encode(images, processes=2):
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return torch.cat(pool.map(encode_part, images.chunk(8 * processes), chunksize=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--limit", type=int, default=10 ** 9, help="only the first so many pictures of a set")
    args = parser.parse_args()
    for name in args.sets:
        if not (WORK / f"latents_{name}.pt").exists():
            latents = encode(load(WORK / f"pictures_{name}.pt")["images"][:args.limit])
            save(WORK / f"latents_{name}.pt", latents)
            print(name, tuple(latents.shape), f"std {latents.std():.3f}", flush=True)
