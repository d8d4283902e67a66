"""`w2w invert` against the reference's algorithm, with the same random numbers.

Coefficients are compared relative to their largest, losses each to itself. Run with -s to see the figures.
"""
import csv

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

from conftest import ROOT
from parity.reference_inversion import Inversion, invert, read_mask, read_picture
from parity.tiny_spaces import TinySpace, make_space, modules_of

DEMO = ROOT / "share" / "w2w" / "demo"
COEFFICIENTS_BOUND, LOSS_BOUND = 2e-5, 1e-6


def smooth(width, height, channels, seed):
    """Random values [height, width, channels] in 0..1 without a pattern that a wrong crop could hide behind."""
    coarse = torch.rand(1, channels, 5, 7, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)[0].permute(1, 2, 0).numpy()


def picture(path, width=48, height=48, seed=0):
    Image.fromarray((smooth(width, height, 3, seed) * 255).round().astype(np.uint8)).save(path)
    return path


def mask(path, kind, width, height, seed=9):
    values = smooth(width, height, 1, seed)[..., 0]
    if kind == "16 bit":  # the program rounds to 8 bits: these are of both kinds
        image = Image.fromarray((values * 255).round().astype(np.uint16) * 257)
    else:
        image = Image.fromarray((values * 255).round().astype(np.uint8))
    if kind == "alpha":
        colour = Image.fromarray((smooth(width, height, 3, seed + 1) * 255).astype(np.uint8))
        colour.putalpha(image)
        image = colour
    image.save(path)
    return path


def arguments(settings):
    yield from ("--steps", settings.steps, "--lr", settings.lr, "--weight-decay", settings.weight_decay)
    yield from ("--batch", settings.batch, "--accumulate", settings.accumulate, "--seed", settings.seed)
    yield from ("--method", "fast" if settings.fast else "reference")
    if settings.components:
        yield from ("--components", settings.components)
    if settings.prior:
        yield from ("--prior", settings.prior)


class Bench:
    """Runs one inversion by the program and by the reference, and compares."""

    def __init__(self, w2w, folder, pipeline, space, options):
        self.w2w, self.folder, self.pipeline, self.space, self.options = w2w, folder, pipeline, space, options

    def check(self, settings, pictures, masks=(), own_alpha=False):
        """With `own_alpha` the masks are the pictures' own alpha channels."""
        out = self.folder / "out"
        masked = [] if own_alpha else [word for path in masks for word in ("--mask", path)]
        self.w2w("invert", *pictures, *masked, *arguments(settings), *self.options, "-o", out)
        found = load_file(out / f"{pictures[0].stem}.safetensors")["coefficients"]
        with open(out / f"{pictures[0].stem}_loss.csv", newline="") as file:
            found_losses = [float(row["loss"]) for row in csv.DictReader(file)]
        expected, losses = self.reference(settings, pictures, masks)
        assert expected.abs().max() > 0.5 * settings.lr, "the coefficients must move"
        assert found.shape == expected.shape and len(found_losses) == len(losses)
        error = ((found - expected).abs().max() / expected.abs().max()).item()
        loss_error = max(abs(a / b - 1) for a, b in zip(found_losses, losses))
        print(f"\ncoefficients {error:.1e}, losses {loss_error:.1e}")
        assert error <= COEFFICIENTS_BOUND and loss_error <= LOSS_BOUND

    def reference(self, settings, pictures, masks):
        factor = self.pipeline.vae_scale_factor
        size = self.pipeline.unet.config.sample_size * factor
        return invert(self.pipeline, self.space, [read_picture(path, size, size) for path in pictures],
                      [read_mask(path, size // factor, size // factor) for path in masks], settings)


@pytest.fixture
def bench(w2w, models, tmp_path):
    """bench(NAME): with the tiny model of that shape and a random space."""
    def make(name):
        model = models(name)
        space = make_space(model.pipeline.unet)
        space.save_compact(tmp_path / "space")
        return Bench(w2w, tmp_path, model.pipeline, space, ["-m", model.folder, "--space", tmp_path / "space"])
    return make


@pytest.mark.parametrize("name", ["demo", "sd1", "sd2"])  # sd2 predicts velocity
def test_ten_steps(bench, tmp_path, name):
    bench(name).check(Inversion(), [picture(tmp_path / "ann.png")])


@pytest.mark.parametrize("settings", [
    Inversion(batch=3),
    Inversion(accumulate=2),
    Inversion(batch=2, accumulate=2, steps=4),
    Inversion(weight_decay=1e-2),
    Inversion(components=7, seed=11),
    Inversion(fast=True, lr=0.2, weight_decay=0),
    Inversion(fast=True, lr=0.2, weight_decay=0, prior=0.4),
    Inversion(prior=0.2),
], ids=["batch", "accumulated", "batches accumulated", "weight decay", "components", "fast", "fast prior", "prior"])
def test_options(bench, tmp_path, settings):
    bench("demo").check(settings, [picture(tmp_path / "ann.png")])


@pytest.mark.parametrize("kind", ["8 bit", "16 bit", "alpha"])
def test_mask(bench, tmp_path, kind):
    bench("demo").check(Inversion(), [picture(tmp_path / "ann.png", 97, 60)], [mask(tmp_path / "mask.png", kind, 97, 60)])


def test_the_pictures_own_alpha_is_its_mask(bench, tmp_path):
    cut_out = mask(tmp_path / "ann.png", "alpha", 70, 60)
    bench("demo").check(Inversion(), [cut_out], [cut_out], own_alpha=True)


@pytest.mark.parametrize("width, height", [(150, 97), (61, 140), (64, 64), (20, 33)])
def test_picture_of_any_shape(bench, tmp_path, width, height):
    bench("demo").check(Inversion(steps=3), [picture(tmp_path / "ann.png", width, height)])


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_pictures_take_turns(bench, tmp_path, batch):
    pictures = [picture(tmp_path / f"{name}.png", 48 + 11 * i, 48, i) for i, name in enumerate(("ann", "bob"))]
    masks = [mask(tmp_path / f"mask{i}.png", "8 bit", 48 + 11 * i, 48, i) for i in range(2)]
    bench("demo").check(Inversion(batch=batch, steps=5), pictures, masks)


@pytest.mark.parametrize("settings", [Inversion(steps=30), Inversion(lr=1, weight_decay=0)], ids=["real", "ood"])
def test_the_demo_world(w2w, tmp_path, settings):
    """The presets' learning rates, in a space where they make sense: 1 throws people of a random space about."""
    pipeline = StableDiffusionPipeline.from_pretrained(DEMO / "model", torch_dtype=torch.float32)
    basis = load_file(DEMO / "space" / "basis.safetensors")
    space = TinySpace(modules_of(pipeline.unet), basis["mean"], basis["std"], basis["components"].float(), None)
    Bench(w2w, tmp_path, pipeline, space, []).check(settings, [picture(tmp_path / "ann.png", 80, 64)])
