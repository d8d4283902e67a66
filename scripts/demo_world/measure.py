"""Measures the gates with the regressor. Every line names its counts of people and noises.

gate 1 the autoencoder is crisp; gate 2 attribute words are obeyed; gate 3 a trained person stays the same over
noises and scenes; gate 4 sampled people are as varied as trained ones. Writes figures.json beside the checkpoints.
"""
import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from captions import SCENE_WORDS
from encode import frozen_vae
from factors import FACTORS, INDEX, SCENES
from lora import theta_of_all
from regressor import load_regressor
from train_base import load_models
from world import PICTURES_PER_PERSON, SHARE, SIZE, WORK, ddim, decode, guided, load, psnr, write_json

SEEABLE = .5   # factors whose r2 on test drawings is below this are no evidence
GUIDANCE, STEPS = 3., 12
TOGETHER = 12  # people in one pass
WORDS = {  # prompt: (factor, the sign of its change against "a person")
    "a person with glasses": ("glasses", 1), "a person with a beard": ("beard", 1), "a bald person": ("bald", 1),
    "a person with a moustache": ("moustache", 1), "a person with dark skin": ("skin", 1),
    "a person with pale skin": ("skin", -1), "a person with red hair": ("hair_red", 1),
    "a person with grey hair": ("grey", 1), "a person with blond hair": ("hair_light", 1),
    "a person with black hair": ("hair_light", -1), "a person with long hair": ("hair_length", 1),
    "a person with short hair": ("hair_length", -1), "a person with curly hair": ("curly", 1),
    "an old person": ("age", 1), "a chubby person": ("face_width", 1), "a person with blue eyes": ("eye_colour", 1)}


class World:
    def __init__(self):
        self.vae, self.models = frozen_vae(), load_models()
        self.regressor, self.r2 = load_regressor()
        self.seen = [i for i in range(len(FACTORS)) if self.r2[i] > SEEABLE]
        self.empty = self.models.embed([""])

    @torch.no_grad()
    def draw(self, theta, prompt, noises, seed=0):
        """Pictures [people, noises, 3, 64, 64]; theta [people, P] or None for the base model alone."""
        z = torch.randn(noises, 4, 16, 16, generator=torch.Generator().manual_seed(seed))
        text, out = self.models.embed([prompt]), []
        for part in [None] if theta is None else theta.split(TOGETHER):
            people = 1 if part is None else len(part)
            self.models.loras.set(None if part is None else part.repeat(2, 1))  # without and with the prompt
            words = text.expand(people * noises, -1, -1)
            latents = ddim(guided(self.models.unet, words, self.empty, GUIDANCE), z.repeat(people, 1, 1, 1), STEPS)
            out.append(decode(self.vae, latents).view(people, noises, 3, SIZE, SIZE))
        return torch.cat(out)

    @torch.no_grad()
    def factors(self, pictures):
        """Regressed factors [people, noises, F] in standard deviations of the drawn people, and scene indices."""
        f, _, scene = self.regressor(pictures.flatten(0, 1))
        f = (f - self.regressor.mean) / self.regressor.std
        return f.view(*pictures.shape[:2], -1), scene.argmax(1).view(*pictures.shape[:2])

    def named(self, values):
        """The seeable factors of a vector, rounded."""
        return {FACTORS[i]: round(values[i].item(), 2) for i in self.seen}


def correlation(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0) + 1e-9)


def within_between(f):
    """Variance over noises of one person, by the variance of people's means; [F]."""
    within = f.var(1).mean(0)
    between = (f.mean(1).var(0) - within / f.shape[1]).clamp(min=1e-4)
    return within / between, between


def gate_1(world, out):
    images = load(WORK / "pictures_held_out.pt")["images"].float() / 255
    with torch.no_grad():
        back = [world.vae.decode(world.vae.encode(x * 2 - 1).latent_dist.mean).sample for x in images.split(50)]
    out[f"gate 1: PSNR of {len(images)} held-out drawings, dB"] = round(psnr(images, (torch.cat(back).clamp(-1, 1) + 1) / 2), 2)


def gate_2(world, out, noises=8):
    plain, _ = world.factors(world.draw(None, "a person", noises))
    obeyed = {}
    for prompt, (name, sign) in WORDS.items():
        f, _ = world.factors(world.draw(None, prompt, noises))
        i, flags = INDEX[name], f[0, :, INDEX[name]] * sign > .3
        obeyed[prompt] = [round((f - plain)[0, :, i].mean().item(), 2), round(flags.float().mean().item(), 2)]
    out[f"gate 2: shift in deviations, share on the right side ({noises} noises)"] = obeyed
    scenes = {}
    for name in SCENES[1:]:
        _, scene = world.factors(world.draw(None, f"a person {SCENE_WORDS[name]}", 4))
        scenes[name] = (scene == SCENES.index(name)).float().mean().item()
    out["gate 2: share of scenes recognised (4 noises)"] = scenes


def gate_3(world, out, theta, people, n, noises=4):
    truth = (torch.tensor(people[:n]) - world.regressor.mean) / world.regressor.std
    f, _ = world.factors(world.draw(theta[:n], "sks person", noises))
    ratio, _ = within_between(f)
    out[f"gate 3: within/between variance, {n} people x {noises} noises"] = world.named(ratio)
    out["gate 3: median of it"] = round(ratio[world.seen].median().item(), 3)
    r = correlation(f.mean(1), truth)
    out["gate 3: correlation with the true factors"] = world.named(r)
    out["gate 3: mean of it"] = round(r[world.seen].mean().item(), 3)
    for name, prompt in (("beach", "sks person on the beach"), ("night", "sks person at night")):
        g, scene = world.factors(world.draw(theta[:n], prompt, 2, seed=1))
        r = correlation(g.mean(1), truth)[world.seen].mean().item()
        hit = (scene == SCENES.index(name)).float().mean().item()
        out[f"gate 3: {prompt}, {n} people x 2 noises"] = dict(mean_correlation=round(r, 3), scene=round(hit, 2))


def gate_4(world, out, theta, space, n, noises=2):
    basis = load_file(space / "basis.safetensors")
    trained, _ = world.factors(world.draw(theta[:n], "sks person", noises))
    _, between = within_between(trained)
    for spread in (1., 1.5):
        c = torch.randn(n, len(basis["components"]), generator=torch.Generator().manual_seed(5))
        c = basis["projection_mean"] + spread * c * basis["projection_std"]
        sampled, _ = world.factors(world.draw(c @ basis["components"].float() * basis["std"] + basis["mean"], "sks person", noises))
        ratio, varied = within_between(sampled)
        share = varied / between
        out[f"gate 4: spread {spread}, {n} people x {noises} noises"] = dict(
            between_variance_share=round(share[world.seen].median().item(), 3), by_factor=world.named(share),
            within_between=round(ratio[world.seen].median().item(), 3))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--gates", default="1234")
    parser.add_argument("--loras", type=Path, default=WORK / "loras", help="folder that w2w train wrote")
    parser.add_argument("--space", type=Path, default=SHARE / "space")
    args = parser.parse_args()
    world, out = World(), {}
    out["regressor r2 on 500 test drawings"] = {k: round(v, 2) for k, v in zip(FACTORS, world.r2.tolist())}
    theta = theta_of_all(args.loras, world.models.loras.shapes, args.people) if args.loras.exists() else None
    people = load(WORK / "pictures_people.pt")["people"][::PICTURES_PER_PERSON]
    for gate, extra in (("1", ()), ("2", ()), ("3", (theta, people, args.people)), ("4", (theta, args.space, args.people))):
        if gate in args.gates:
            globals()[f"gate_{gate}"](world, out, *extra)
            print(json.dumps(out, indent=1), flush=True)
            out_path = WORK / "figures.json"
            old = json.loads(out_path.read_text()) if out_path.exists() else {}
            write_json(out_path, old | out)
