"""Stage 2: the autoencoder. Reconstruction in L1, squares and picture gradients, with a little KL."""
import argparse
import time

import numpy as np
import torch

from muon import Muon
from pictures import sheet
from team import MEMBERS, run
from world import WORK, fade, load, make_vae, psnr, save

TEST = 256  # pictures kept out of training


def edges(a, b):
    """L1 distance of the horizontal and vertical differences."""
    across, down = (lambda t: t[..., 1:] - t[..., :-1]), (lambda t: t[..., 1:, :] - t[..., :-1, :])
    return sum((d(a) - d(b)).abs().mean() for d in (across, down))


def to_model(images):
    return images.float() / 127.5 - 1


def loss_of(vae, x):
    with torch.autocast("cpu", torch.bfloat16):
        q = vae.encode(x).latent_dist
        y = vae.decode(q.sample()).sample.float()
    kl = .5 * (q.mean.float() ** 2 + q.var.float() - 1 - q.logvar.float()).mean()
    l1 = (x - y).abs().mean()
    return l1 + .3 * (x - y).pow(2).mean() + .7 * edges(x, y) + 1e-4 * kl, l1


@torch.no_grad()
def report(vae, images):
    x = to_model(images[-TEST:])
    q = vae.encode(x).latent_dist
    y = vae.decode(q.mean).sample.clamp(-1, 1)
    print(f"test PSNR {psnr(x / 2, y / 2):.2f} dB, latent std {q.mean.std():.3f}, noise {q.std.mean():.4f}", flush=True)
    sheet((torch.stack([x[:24], y[:24]], 1).flatten(0, 1) + 1) / 2, 8, WORK / "sheet_vae.png", 2)
    return 1 / q.mean.std().item()


def train(team, vae, optimiser, images, checkpoint, args):
    step, spent, total, losses = 0, 0., args.minutes * 60, []
    if checkpoint.exists():
        state = load(checkpoint)
        step, spent = state["step"], state["spent"]
        if team.rank == 0:
            vae.load_state_dict(state["vae"])
            optimiser.load_state_dict(state["optimiser"])
    team.meet()
    rng = np.random.default_rng((step, team.rank))
    last = saved = time.time()
    while spent < total:
        x = to_model(images[rng.integers(0, len(images) - TEST, args.batch // MEMBERS)])
        x = x.flip(3) if rng.random() < .5 else x
        loss, l1 = loss_of(vae, x)
        optimiser.zero_grad()
        loss.backward()
        team.average(optimiser.parameters)
        optimiser.step(step, fade(step, 30, spent / total) ** .8, team.rank)
        spent = team.agree(spent + time.time() - last)
        step, losses, last = step + 1, losses + [l1.item()], time.time()
        if team.rank == 0 and step % 100 == 0:
            print(f"step {step} {spent:.0f} s l1 {np.mean(losses[-100:]):.4f}", flush=True)
        if team.rank == 0 and (time.time() - saved > 120 or spent >= total):
            save(checkpoint, dict(vae=vae.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=spent))
            report(vae, images)
            saved = last = time.time()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=18, help="of training in all, resumed runs included")
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    torch.manual_seed(0)
    images = load(WORK / "pictures_base.pt")["images"]
    vae = make_vae()
    optimiser = Muon(vae.named_parameters(), lr=.02)
    run(train, optimiser.parameters, vae, optimiser, images, WORK / "vae_checkpoint.pt", args)
    scaling = report(vae, images)
    save(WORK / "vae.pt", dict(vae=vae.state_dict(), scaling_factor=scaling))


if __name__ == "__main__":
    main()
