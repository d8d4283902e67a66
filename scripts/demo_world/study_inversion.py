"""What lowers the error of an inversion at a given number of UNet evaluations? Many variants on the same held-out people.

All people share one forward pass, each with a LoRA of its own (lora.py); variants share people, pictures and random
numbers, so that their differences are paired. Learning rates are in units of the coefficients, c = S^power z, with S the
spread of the training people in each component: power 0 is the reference's parametrisation, 1 whitens.
"""
import argparse
import csv
import math
from dataclasses import dataclass

import torch
from safetensors.torch import load_file

from encode import frozen_vae
from factors import FACTORS
from measure_inversion import CARRIED, correlation
from regressor import load_regressor
from train_base import Models
from world import ALPHAS_CUMPROD, PICTURES_PER_PERSON, SHARE, WORK, add_noise, ddim, decode, load, save


@dataclass
class Variant:
    lr: float
    power: float = 0
    schedule: str = "constant"   # or cosine, down to 0
    weight: str = "none"         # own: every loss by its own size; abar: by alphas_cumprod, at most 25 times
    stratified: bool = False     # one timestep in each of as many equal stretches as there are evaluations
    batch: int = 1
    beta2: float = 0.999
    average: float = 0           # share of the steps, at the end, whose iterates are averaged
    prior: float = 0             # weight of |c / S|^2 / 2
    timesteps: tuple = (0, 1000)
    posterior_mean: bool = False
    warm: bool = False           # start where a ridge regression on the picture's latents points


VARIANTS = {
    "reference": Variant(0.1),
    "reference, lr 1": Variant(1),
    "fast": Variant(0.2, power=1, schedule="cosine"),
    "lr 1, cosine": Variant(1, schedule="cosine"),
    "lr 2, cosine": Variant(2, schedule="cosine"),
    "lr 2, cosine, own weight": Variant(2, schedule="cosine", weight="own"),
    "half whitened": Variant(0.4, power=0.5, schedule="cosine"),
    "fast, stratified": Variant(0.2, power=1, schedule="cosine", stratified=True),
    "fast, own weight": Variant(0.2, power=1, schedule="cosine", weight="own"),
    "fast, abar weight": Variant(0.2, power=1, schedule="cosine", weight="abar"),
    "fast, twice the lr": Variant(0.4, power=1, schedule="cosine"),
    "fast, prior": Variant(0.2, power=1, schedule="cosine", prior=5e-4),
    "fast, beta2 .99": Variant(0.2, power=1, schedule="cosine", beta2=0.99),
    "constant lr, averaged": Variant(0.2, power=1, average=0.5),
    "fast, batch 4": Variant(0.4, power=1, schedule="cosine", batch=4),
    "fast, posterior mean": Variant(0.2, power=1, schedule="cosine", posterior_mean=True),
    "fast, warm": Variant(0.2, power=1, schedule="cosine", warm=True),
    "fast, warm, half the lr": Variant(0.1, power=1, schedule="cosine", warm=True),
}


def with_one(c):
    return torch.cat([c, torch.ones(len(c), 1)], 1)


class Study:
    def __init__(self, n):
        self.vae, self.regressor = frozen_vae(), load_regressor()[0]
        self.models = Models(torch.zeros(2, len(FACTORS)))
        self.models.load(load(WORK / "base.pt"))
        for m in self.models.parts.values():
            m.eval().requires_grad_(False)
        self.basis = {k: v.float() for k, v in load_file(SHARE / "space" / "basis.safetensors").items()}
        drawn = load(WORK / "pictures_held_out.pt")
        people = torch.tensor(drawn["people"][::PICTURES_PER_PERSON][:n])
        self.truth = (people - self.regressor.mean) / self.regressor.std
        self.read_out = self.fit_read_out()
        with torch.no_grad():
            self.text, self.empty = self.models.embed(["sks person"]), self.models.embed([""])
            images = drawn["images"][::PICTURES_PER_PERSON][:n].float() / 127.5 - 1
            self.posterior = self.vae.encode(images).latent_dist

    def fit_read_out(self):
        """Least squares of the training people's factors on their coefficients and one, [k + 1, F] in deviations."""
        with open(SHARE / "space" / "factors.csv", newline="") as file:
            people = torch.tensor([[float(row[name]) for name in FACTORS] for row in csv.DictReader(file)])
        c = load_file(SHARE / "space" / "projections.safetensors")["projections"]
        return torch.linalg.lstsq(with_one(c), (people - self.regressor.mean) / self.regressor.std).solution

    def theta(self, c):
        return c @ self.basis["components"] * self.basis["std"] + self.basis["mean"]

    def losses(self, c, u, generator, v):
        """Weighted loss of every person, [n], at timesteps from u in 0..1."""
        e = torch.randn(self.posterior.mean.shape, generator=generator)
        x = self.posterior.mean + self.posterior.std * e * (not v.posterior_mean)
        noise = torch.randn(x.shape, generator=generator)
        low, high = v.timesteps
        t = (low + u * (high - low)).long().clamp(max=999)
        self.models.loras.set(self.theta(c))
        noisy = add_noise(x * self.vae.config.scaling_factor, t, noise)
        loss = (self.models.unet(noisy, t, self.text.expand(len(c), -1, -1)).sample - noise).pow(2).mean((1, 2, 3))
        if v.weight == "own":
            return loss / loss.detach()
        return loss / ALPHAS_CUMPROD[t].clamp(min=1 / 25) if v.weight == "abar" else loss

    def invert(self, v, evaluations, seed, marks=()):
        """{evaluations done: coefficients [n, k]} at the marks and at the end. Adam, all people side by side."""
        generator = torch.Generator().manual_seed(seed)
        n, spread, steps = len(self.truth), self.basis["projection_std"], evaluations // v.batch
        strata = torch.stack([torch.randperm(evaluations, generator=generator) for _ in range(n)])
        start = self.warm_start() / spread ** v.power if v.warm else torch.zeros(n, len(spread))
        z = start.requires_grad_(True)
        optimiser, out, kept = torch.optim.Adam([z], lr=v.lr, betas=(0.9, v.beta2)), {}, []
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = v.lr * (0.5 + 0.5 * math.cos(math.pi * step / steps) if v.schedule == "cosine" else 1)
            optimiser.zero_grad()
            for j in range(v.batch):
                u = torch.rand(n, generator=generator)
                u = (strata[:, step * v.batch + j] + u) / evaluations if v.stratified else u
                self.losses(z * spread ** v.power, u, generator, v).div(v.batch).sum().backward()
            if v.prior:
                z.grad += v.prior * z.detach() * spread ** (2 * v.power - 2)
            optimiser.step()
            c = z.detach() * spread ** v.power
            if step >= (1 - v.average) * steps:
                kept.append(c)
            if (step + 1) * v.batch in marks:
                out[(step + 1) * v.batch] = c
        return out | {evaluations: torch.stack(kept).mean(0) if kept else c}

    @torch.no_grad()
    def warm_start(self, people=600, ridge=0.1):
        """Coefficients [n, k] by ridge regression on latents, learned from people drawn from the space and rendered: a real
        space comes without pictures."""
        generator = torch.Generator().manual_seed(7)
        z = torch.randn(people, len(self.basis["projection_std"]), generator=generator)
        noise = torch.randn(people, 4, 16, 16, generator=generator)
        drawn = torch.cat([self.latents(c * self.basis["projection_std"], x) for c, x in zip(z.split(50), noise.split(50))])
        mean, scale = drawn.mean(0), drawn.std(0)
        features = lambda x: ((x - mean) / scale).flatten(1)
        x = features(drawn)
        weights = torch.linalg.solve(x @ x.T + ridge * x.shape[1] * torch.eye(people), z)
        seen = features(self.posterior.mean * self.vae.config.scaling_factor)
        return seen @ x.T @ weights * self.basis["projection_std"]

    @torch.no_grad()
    def latents(self, c, noise):
        """Scaled latents of pictures of these people, 12 DDIM steps, guidance 3: [n, 4, 16, 16]."""
        theta = self.theta(c)
        self.models.loras.set(torch.cat([theta, theta]))
        text = torch.cat([self.empty.expand(len(c), -1, -1), self.text.expand(len(c), -1, -1)])

        def epsilon(z, t):
            low, high = self.models.unet(torch.cat([z, z]), t, text).sample.chunk(2)
            return low + 3 * (high - low)

        return ddim(epsilon, noise, 12)

    @torch.no_grad()
    def factors(self, c, noises):
        """What the regressor sees in pictures of these people, mean over noises, [n, F] in deviations."""
        seen = 0
        for z in torch.randn(noises, 4, 16, 16, generator=torch.Generator().manual_seed(100)):
            pictures = decode(self.vae, self.latents(c, z.expand(len(c), -1, -1, -1)))
            seen = seen + (self.regressor(pictures)[0] - self.regressor.mean) / self.regressor.std / noises
        return seen


def results(study, variant, name, budgets, seed, noises):
    """{budget: dict of factors [n, F] and coefficients [n, k]}; what an earlier call has found is read from its file."""
    folder = WORK / "inversion_study"
    folder.mkdir(exist_ok=True)
    path = lambda budget: folder / f"{name}_{budget}_{len(study.truth)}_{seed}_{noises}.pt"
    missing = [b for b in budgets if not path(b).exists()]
    one_run = variant.schedule == "constant" and not variant.average and not variant.stratified
    for last in missing[-1:] if one_run else missing:
        for budget, c in study.invert(variant, last, seed, missing if one_run else ()).items():
            save(path(budget), dict(factors=study.factors(c, noises), coefficients=c))
    return {b: load(path(b)) for b in budgets}


def report(study, name, budget, found, base):
    """Prints one line and returns the error of each person; found: results of each seed, base: errors to compare with."""
    truth, people = study.truth, [f["coefficients"] for f in found]
    read = torch.stack([correlation(with_one(c) @ study.read_out, truth)[CARRIED].mean() for c in people]).mean()
    size = torch.stack(people).div(study.basis["projection_std"]).square().mean().sqrt()
    found = [f["factors"] for f in found]
    r = torch.stack([correlation(f, truth) for f in found])
    error = torch.stack([(f - truth)[:, CARRIED].pow(2).mean(1).sqrt() for f in found]).mean(0)
    centred = torch.nn.functional.normalize(truth - truth.mean(0), dim=1)
    nearest = [(torch.nn.functional.normalize(f - f.mean(0), dim=1) @ centred.T).argmax(1) for f in found]
    top = torch.stack([(k == torch.arange(len(truth))).float().mean() for k in nearest]).mean()
    line = (f"{name:26s} {budget:4d} x{len(found)}  r carried {r[:, CARRIED].mean():.3f} all {r.mean():.3f}  "
            f"error {error.mean():.3f}  top-1 {top:.2f}  read-out {read:.3f}  size {size:.1f}")
    if base is not None:
        gain = base - error
        line += f"  less error {gain.mean():+.3f} +- {gain.std() / len(gain) ** 0.5:.3f}"
    print(line, flush=True)
    return error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--noises", type=int, default=2)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[100])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, metavar="NAME", default=list(VARIANTS))
    args = parser.parse_args()
    study, base = Study(args.people), {}
    for name in args.variants:
        found = [results(study, VARIANTS[name], name, args.evaluations, seed, args.noises) for seed in args.seeds]
        for budget in args.evaluations:
            error = report(study, name, budget, [f[budget] for f in found], base.get(budget))
            base.setdefault(budget, error)
