"""Delayed injection by the program against a live diffusers loop whose UNet is exchanged at the timestep T."""
import json

import numpy as np
import pytest
import torch
from diffusers import (DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, HeunDiscreteScheduler, PNDMScheduler,
                       UniPCMultistepScheduler)
from safetensors.torch import load_file, save_file

from parity.test_directions import lstsq, step, write_labels
from parity.test_pipeline import NEGATIVE, PROMPT, SEED, STEPS, assert_same_picture, theirs, with_person
from parity.tiny_spaces import make_space


class Exchanged(torch.nn.Module):
    """The original UNet while t > T, the edited one from t <= T on."""

    def __init__(self, original, edited, inject_at):
        super().__init__()
        self.original, self.edited, self.inject_at = original, edited, inject_at
        self.config, self.dtype, self.device, self.seen = original.config, original.dtype, original.device, []

    def forward(self, sample, t, **options):
        self.seen.append(float(t))
        return (self.original if t > self.inject_at else self.edited)(sample, t, **options)


class Case:
    """A person and the same one edited, for both sides."""

    def __init__(self, model, tmp_path):
        self.model, self.pipeline = model, model.pipeline
        self.space = make_space(model.pipeline.unet)
        self.folder = self.space.save_compact(tmp_path / "space")
        labels = np.sign(np.random.default_rng(1).normal(size=(30, 2))).astype(int)
        write_labels(self.folder / "labels.csv", labels, [f"person_{i}" for i in range(30)], ["Male", "Young"])
        self.start = 0.3 * torch.randn(20, generator=torch.Generator().manual_seed(4))
        self.unit = step(self.space, lstsq(self.space, labels[:, 1]))
        self.path = tmp_path / "me.safetensors"
        save_file({"coefficients": self.start}, self.path)

    def unet(self, strength):
        c = self.start.double() + strength * torch.tensor(self.unit)
        return with_person(self.pipeline, self.space.deltas(self.space.theta(c.float()))).unet

    def theirs(self, strength, inject_at, scheduler=None, **options):
        edited = with_person(self.pipeline, {})
        if scheduler:
            edited.scheduler = scheduler
        edited.unet = Exchanged(self.unet(0), self.unet(strength), inject_at)
        return theirs(edited, **options), edited.unet.seen

    def ours(self, w2w, folder, *options):
        return w2w("edit", self.path, "-m", self.model.folder, "--space", self.folder, "-p", PROMPT, "-n", NEGATIVE,
                   "--steps", STEPS, "--cfg-scale", 3, "-s", SEED, "-o", folder, *options)


@pytest.fixture
def case(models, tmp_path):
    return lambda name="demo": Case(models(name), tmp_path)


@pytest.mark.parametrize("inject_at", [1000, 901, 900, 700, 0])
def test_pictures_before_and_after(case, w2w, tmp_path, inject_at):
    """With 30 steps PNDM's timesteps are 958, 925, 925, ..., 1. At T = 0 nothing is edited."""
    case = case()
    after, seen = case.theirs(6, inject_at)
    before, _ = case.theirs(6, -1)
    assert len(seen) == STEPS + 1 and len(set(seen)) == STEPS
    case.ours(w2w, tmp_path / "out", "--add", "Young=6", "--inject-at", inject_at)
    assert_same_picture(tmp_path / "out" / f"me_Young+6_before_p1_s{SEED}.png", before)
    assert_same_picture(tmp_path / "out" / f"me_Young+6_p1_s{SEED}.png", after)
    change = np.abs(before.astype(int) - after).mean()
    print(f"mean change {change:.2f}")
    assert change == 0 if inject_at == 0 else change > 0.3, "the edit must change the picture"


@pytest.mark.parametrize("inject_at", [925, 924])
def test_between_repeated_timesteps(case, w2w, tmp_path, inject_at):
    """PNDM runs 925 twice: both runs belong to the same side."""
    case = case()
    after, seen = case.theirs(6, inject_at)
    assert seen.count(925) == 2 and sum(t > inject_at for t in seen) in (1, 3)
    case.ours(w2w, tmp_path / "out", "--add", "Young=6", "--inject-at", inject_at)
    assert_same_picture(tmp_path / "out" / f"me_Young+6_p1_s{SEED}.png", after)


@pytest.mark.parametrize("sampler, scheduler, config", [
    ("Euler a", EulerAncestralDiscreteScheduler, {}),  # draws noise at every step: both sides go on with the same stream
    ("heun", HeunDiscreteScheduler, {}),
    ("DPM++ 2M Karras", DPMSolverMultistepScheduler, dict(use_karras_sigmas=True)),
    ("unipc", UniPCMultistepScheduler, {}),
    ("pndm", PNDMScheduler, {}),
    ("plms", PNDMScheduler, dict(skip_prk_steps=True)),
])
@pytest.mark.parametrize("name", ["demo", "sd2"])
def test_with_other_samplers(case, w2w, tmp_path, name, sampler, scheduler, config):
    case = case(name)
    make = lambda: scheduler.from_pretrained(case.model.folder / "scheduler", **config)
    case.ours(w2w, tmp_path / "out", "--add", "Young=6", "--inject-at", 700, "--sampler", sampler)
    for kind, strength in (("_before", 0), ("", 6)):
        expected, _ = case.theirs(strength, 700, make())
        assert_same_picture(tmp_path / "out" / f"me_Young+6{kind}_p1_s{SEED}.png", expected)


def test_a_sweep_is_its_edits(case, w2w, tmp_path):
    """Every picture of a sweep is what diffusers draws of that strength alone; the steps above T were run once."""
    case = case()
    done = json.loads(case.ours(w2w, tmp_path / "out", "--sweep", "Young=-4:4:3", "--inject-at", 700, "--json").stdout)
    for strength in (-4, 0, 4):
        expected, seen = case.theirs(strength, 700)
        assert_same_picture(tmp_path / "out" / f"me_Young{strength:+}_p1_s{SEED}.png", expected)
        found = load_file(tmp_path / "out" / f"me_Young{strength:+}.safetensors")["coefficients"]
        np.testing.assert_allclose(found, case.start.double().numpy() + strength * case.unit, rtol=0, atol=1e-6)
    shared = sum(t > 700 for t in seen)
    assert shared == 9 and len(seen) == 31
    assert done["unet_calls"] == shared + 4 * (len(seen) - shared), "one prefix, then the original and three edits"
