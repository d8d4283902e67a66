"""Stage 4: UNet, text encoder and people map together, on latents.

Half of every batch is text to picture: captions with attribute words, the LoRAs off. The other half is people:
"sks person" in some circumstances, with the LoRA that the people map gives for the true factors.
"""
import argparse
import random
import signal
import time

import numpy as np
import torch

from captions import caption
from encode import frozen_vae
from factors import FACTORS
from lora import ManyLoras
from muon import Muon
from people_map import PeopleMap
from pictures import sheet
from team import MEMBERS, run
from tokenizer import encode_all, vocabulary
from world import (WORK, add_noise, ddim, decode, fade, guided, load, loss_weight, make_text_encoder, make_unet,
                   pass_input_through, save, stratified_timesteps)

MUON = dict(to_adam=("embed", "conv_in", "conv_out", "people_map"), slow=("people_map",), average=.999)
WARM, FALL = 200, .2  # steps of warm-up; the share of all steps that the final decay takes
DROP = .12  # share of captions that are emptied, for guidance
PROMPTS = ("a person", "a woman with long blond hair", "a man with grey hair and a beard", "a bald man with glasses",
           "a person with dark skin and glasses", "an old woman with curly red hair", "a person on the beach",
           "a person wearing a hat in the snow", "a young man with black hair at night")


class Models:
    """Everything that stage 4 trains, under one list of named parameters."""

    def __init__(self, people):
        torch.manual_seed(0)
        self.unet, self.text = pass_input_through(make_unet()), make_text_encoder(len(vocabulary()))
        self.loras = ManyLoras(self.unet)
        self.people = PeopleMap(self.loras, people)
        self.parts = dict(unet=self.unet, text=self.text, people=self.people)
        self.named = [(f"{part}.{n}", p) for part, m in self.parts.items() for n, p in m.named_parameters()]

    def state(self, values=None):
        """State dicts with plain diffusers names; values replaces the parameters (averaged ones)."""
        swap = dict(zip([id(p) for _, p in self.named], values)) if values else {}
        return {part: {n: swap.get(id(v), v).detach().clone() for n, v in m.state_dict(keep_vars=True).items()}
                for part, m in self.parts.items()}

    def load(self, state):
        for part, m in self.parts.items():
            m.load_state_dict(state[part])

    def embed(self, texts):
        return self.text(encode_all(texts))[0]


def batch_of(data, n, rng, r):
    """n pictures; the second half speaks of "sks person" and is drawn with LoRAs."""
    index = rng.integers(0, len(data["people"]), n)
    texts = []
    for k, i in enumerate(index):
        lora = k >= n // 2
        text = caption(data["people"][i], data["nuisance"], i, r, attributes=.15 if lora else .92, sks=1 if lora else .25)
        texts.append("" if r.random() < DROP else text)
    return data["latents"][index], data["people"][index], texts


def loss_of(models, x, people, texts, generator):
    n = len(x)
    # Timesteps are stratified within each half.
    t = torch.cat([stratified_timesteps(n // 2, generator), stratified_timesteps(n - n // 2, generator)])
    noise = torch.randn(x.shape, generator=generator)
    theta = models.people(people)
    theta = torch.cat([models.people.start.expand(n // 2, -1), theta[n // 2:]])
    models.loras.set(theta)
    error = models.unet(add_noise(x, t, noise), t, models.embed(texts)).sample - noise
    squares = error.pow(2).mean((1, 2, 3))
    weighted = squares * loss_weight(t)
    return weighted.mean(), torch.stack([part.mean().detach() for part in squares.split(n // 2)][:2] + [weighted.mean().detach()])


@torch.no_grad()
def draw_sheets(models, data, step, steps=12, columns=6):
    """Words (rows) over noises (columns); then people: a drawing, four noises, two scenes. One pair of sheets per step count."""
    folder = WORK / "sheets"
    folder.mkdir(exist_ok=True)
    vae, g = frozen_vae(), torch.Generator().manual_seed(3)
    z, empty = torch.randn(columns, 4, 16, 16, generator=g), models.embed([""])
    models.loras.set(None)
    rows = [ddim(guided(models.unet, models.embed([p] * columns), empty, 3.), z, steps) for p in PROMPTS]
    sheet(decode(vae, torch.cat(rows)), columns, folder / f"words_{step:06d}.png", 2)
    prompts, rows = ["sks person"] * 4 + ["sks person on the beach", "sks person at night"], []
    z[4:] = z[:2]
    for i in range(6):
        theta = models.people(data["people"][i:i + 1])
        models.loras.set(theta)
        rows += [data["latents"][i:i + 1], ddim(guided(models.unet, models.embed(prompts), empty, 3.), z, steps)]
    sheet(decode(vae, torch.cat(rows)), columns + 1, folder / f"people_{step:06d}.png", 2)


def rate(step, age, total):
    """Learning rate factor: a plateau, however long and on however many machines; the last fifth of the steps goes down to nothing.

    age counts the steps of this optimiser, which warms up anew where its state was lost."""
    return min(1, (age + 1) / WARM, max(.002, (total - step) / (total * FALL)))


def resume(models, optimiser, checkpoint):
    """Loads the checkpoint; how many steps the models and the optimiser have seen."""
    state = load(checkpoint) if checkpoint.exists() else dict(step=0, age=0)
    if "models" in state:
        models.load(state["models"])
        optimiser.restart()
    if "optimiser" in state:
        optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["age"]


def train(team, models, optimiser, data, checkpoint, step, age, args):
    stopped, losses, begun, saved = [], [], time.time(), time.time()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.append(True))

    def keep():
        save(checkpoint, dict(models=models.state(), optimiser=optimiser.state_dict(), step=step, age=age))
        save(WORK / "base.pt", models.state(optimiser.averaged) | dict(step=step))

    first, done = step, step >= args.steps
    while not done:
        # Numbers of its own for every step: what is learned does not depend on where training was cut.
        seed = step * MEMBERS + team.rank
        rng, r, generator = np.random.default_rng(seed), random.Random(seed), torch.Generator().manual_seed(seed)
        loss, parts = loss_of(models, *batch_of(data, args.batch // MEMBERS, rng, r), generator)
        optimiser.zero_grad()
        loss.backward()
        team.average(optimiser.parameters)
        optimiser.step(age, rate(step, age, args.steps), team.rank)
        step, age, losses = step + 1, age + 1, losses[-49:] + [parts.numpy()]
        done = team.agree(step >= args.steps or bool(stopped))
        if team.rank:
            continue
        if step % 50 == 0:
            text, people, weighted = np.mean(losses, 0)
            print(f"step {step} {(step - first) / (time.time() - begun):.2f} steps/s "
                  f"loss: text {text:.4f} people {people:.4f} weighted {weighted:.3f}", flush=True)
        if done or time.time() - saved > 180:
            keep()
            saved = time.time()
        if step % args.sheets_every == 0 and not done:
            keep()
            draw_sheets(load_models(), data, step)
            saved = time.time()


def load_data():
    pictures, latents = load(WORK / "pictures_base.pt"), load(WORK / "latents_base.pt")
    return dict(people=pictures["people"][:len(latents)], nuisance=pictures["nuisance"], latents=latents)


def load_models():
    """The averaged models of base.pt, frozen."""
    models = Models(torch.zeros(2, len(FACTORS)))  # base.pt says what factors are standardised with
    models.load(load(WORK / "base.pt"))
    for m in models.parts.values():
        m.eval().requires_grad_(False)
    return models


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40000, help="in all, resumed runs and what the shipped model saw included")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=.004, help="Muon's, on the plateau")
    parser.add_argument("--adam-lr", type=float, default=.7e-3)
    parser.add_argument("--sheets-every", type=int, default=2000, help="steps")
    parser.add_argument("--sheets", action="store_true", help="only draw sheets with the saved models")
    args = parser.parse_args()
    data = load_data()
    if not args.sheets:
        models = Models(data["people"])
        optimiser = Muon(models.named, lr=args.lr, adam_lr=args.adam_lr, **MUON)
        checkpoint = WORK / "base_checkpoint.pt"
        step, age = resume(models, optimiser, checkpoint)
        print(f"from step {step}, optimiser {age}, to {args.steps}", flush=True)
        run(train, optimiser.parameters, models, optimiser, data, checkpoint, step, age, args)
    if args.sheets or load(WORK / "base.pt")["step"] >= args.steps:
        draw_sheets(load_models(), data, load(WORK / "base.pt")["step"])
