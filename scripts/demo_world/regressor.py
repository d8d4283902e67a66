"""The measuring stick: a small network from pictures to factors, scene, hat and smile.

It is trained on drawings only (a little blurred and noisy at random), never on what the models make.
"""
import argparse

import numpy as np
import torch
from torch import nn

from factors import FACTORS, SCENES
from muon import Muon
from team import MEMBERS
from world import WORK, fade, load, save

F, TEST = len(FACTORS), 500
PATH = WORK / "regressor.pt"


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        widths, layers = (3, 24, 48, 96, 128), []
        for k, (i, o) in enumerate(zip(widths, widths[1:])):
            layers += [nn.Conv2d(i, o, 5 if k == 0 else 3, stride=2, padding=2 if k == 0 else 1), nn.BatchNorm2d(o), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 256), nn.ReLU(),
                                  nn.Linear(256, F + 2 + len(SCENES)))
        self.register_buffer("mean", torch.zeros(F))
        self.register_buffer("std", torch.ones(F))

    def forward(self, images):
        """(factors [B, F], hat and smile [B, 2], scene logits) of pictures in [0, 1]."""
        out = self.body(images * 4 - 2)
        return out[:, :F] * self.std + self.mean, out[:, F:F + 2], out[:, F + 2:]


def roughen(x):
    """Random blur of half a picture's strength and noise, so that soft pictures do not confuse."""
    blurred = nn.functional.avg_pool2d(nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = (torch.rand(len(x), 1, 1, 1) * 1.4 - .4).clamp(0, .8)
    return x + (blurred - x) * amount + torch.randn_like(x) * torch.rand(len(x), 1, 1, 1) * .03


def batches(pictures, rng, size):
    order = rng.permutation(len(pictures["images"]) - TEST)
    for i in range(0, len(order) - size, size):
        yield read(pictures, order[i:i + size])


def read(pictures, index):
    n = pictures["nuisance"]
    marks = torch.tensor(np.stack([n["hat"][index], n["smile"][index] > .5], 1), dtype=torch.float32)
    return (pictures["images"][index].float() / 255, torch.tensor(pictures["people"][index]), marks,
            torch.tensor(n["scene"][index]))


def train(epochs, size=64):
    torch.manual_seed(0)
    pictures, rng, model, step = load(WORK / "pictures_base.pt"), np.random.default_rng(0), Regressor(), 0
    people = torch.tensor(pictures["people"])
    model.mean, model.std = people.mean(0), people.std(0)
    steps = epochs * ((len(people) - TEST) // size)
    optimiser = Muon(model.named_parameters(), lr=.02)
    for epoch in range(epochs):
        total = 0.
        for x, z, marks, scene in batches(pictures, rng, size):
            x = x.flip(3) if step % 2 else x
            factors, m, s = model(roughen(x))
            loss = ((factors - z) / model.std).pow(2).mean() + (m - marks).pow(2).mean() + .2 * nn.functional.cross_entropy(s, scene)
            optimiser.zero_grad()
            loss.backward()
            for rank in range(MEMBERS):
                optimiser.step(step, fade(step, 20, step / steps), rank)
            step, total = step + 1, total + loss.item()
        print(f"epoch {epoch} loss {total * size / (len(people) - TEST):.3f}", flush=True)
    model.eval()
    x, z, _, scene = read(pictures, np.arange(len(people) - TEST, len(people)))
    with torch.no_grad():
        factors, _, s = model(x)
    ceiling = 1 - (factors - z).pow(2).mean(0) / z.var(0)
    print("r2 on test drawings:", {k: round(v, 2) for k, v in zip(FACTORS, ceiling.tolist())},
          f"scene accuracy {(s.argmax(1) == scene).float().mean():.3f}")
    save(PATH, dict(model=model.state_dict(), r2=ceiling))


def load_regressor():
    """(model, r2 per factor on test drawings)."""
    state, model = load(PATH), Regressor()
    model.load_state_dict(state["model"])
    return model.eval(), state["r2"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    train(parser.parse_args().epochs)
