"""`w2w train` against DreamBooth by diffusers and PEFT, with the same random numbers, in f32.

Losses are compared each to itself. Of A, and of B, the root mean square difference is compared relative to that of the
values, and the difference of 999 of 1,000 values to the largest: Adam turns a gradient of rounding size into a step of
full size, so that a single value whose gradient is zero may go either way. Run with -s to see the figures.
"""
import csv

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from parity.reference_dreambooth import Training, train
from parity.reference_inversion import read_picture
from parity.test_inversion import picture
from parity.test_pipeline import assert_same_picture, theirs

FACTORS_BOUND, LOSS_BOUND = 5e-5, 1e-6


def arguments(settings):
    yield from ("--steps", settings.steps, "--lr", settings.lr, "--batch", settings.batch, "--rank", settings.rank)
    yield from ("--alpha", settings.alpha, "--targets", ",".join(settings.targets), "--weight-decay", settings.weight_decay)
    yield from ("--max-grad-norm", settings.clip, "--prior-weight", settings.prior, "--seed", settings.seed)
    yield from ("--lr-schedule", settings.schedule, "--warmup", settings.warmup, "--loss-weight", settings.weight)


def factors(folder):
    """A PEFT folder's tensors under the names that `get_peft_model_state_dict` gives."""
    tensors = load_file(folder / "adapter_model.safetensors")
    return {key.removeprefix("base_model.model."): value for key, value in tensors.items()}


def losses(path):
    with open(path, newline="") as file:
        return [(float(row["instance"]), float(row["prior"])) for row in csv.DictReader(file)]


def difference(found, expected):
    """Of A, then of B: root mean square, relative; of 99.9 % of the values, relative to the largest."""
    assert found.keys() == expected.keys()
    result = []
    for kind in ("lora_A", "lora_B"):
        keys = [key for key in expected if kind in key]
        values = torch.cat([expected[key].flatten() for key in keys])
        error = (torch.cat([found[key].flatten() for key in keys]) - values).abs()
        result += [(error.norm() / values.norm()).item(), (error.quantile(0.999) / values.abs().max()).item()]
    return result


@pytest.fixture
def bench(w2w, models, tmp_path):
    """bench(NAME, settings): trains on three pictures and two of the class, by both, and compares."""
    pictures = [picture(tmp_path / f"ann/{i}.png", 48 + 9 * i, 48, i) for i in range(3) if (tmp_path / "ann").mkdir(exist_ok=True) is None]
    others = [picture(tmp_path / f"class/{i}.png", 64, 64, 10 + i) for i in range(2) if (tmp_path / "class").mkdir(exist_ok=True) is None]

    def check(name, settings, class_prompt="person"):
        """At 16 latents a side: at the tiny sd1's own 8 the middle block has one, whose attention has no gradient."""
        model = models(name)
        size = 16 * model.pipeline.vae_scale_factor
        w2w("train", tmp_path / "ann", "-m", model.folder, "--class-images", tmp_path / "class", "--format", "peft",
            "-W", size, "-H", size, *arguments(settings), *(["--class-prompt", class_prompt] if class_prompt != "person" else []), "-o", tmp_path / "out")
        expected, expected_losses = train(
            model.pipeline, [(read_picture(p, size, size), "sks person") for p in pictures],
            [(read_picture(p, size, size), class_prompt) for p in others], settings)
        differences = difference(factors(tmp_path / "out/ann"), expected)
        found_losses = losses(tmp_path / "out/ann_loss.csv")
        assert len(found_losses) == len(expected_losses) == settings.steps
        loss = max(abs(a - b) / b for f, e in zip(found_losses, expected_losses) for a, b in zip(f, e) if b)
        print(f"\n{name}: {', '.join(f'{x:.1e}' for x in differences)}, losses {loss:.1e}")
        assert max(differences) <= FACTORS_BOUND and loss <= LOSS_BOUND

    return check


@pytest.mark.parametrize("name", ["demo", "sd1", "sd2"])  # sd2 predicts velocity
def test_ten_steps(bench, name):
    bench(name, Training())


@pytest.mark.parametrize("settings", [
    Training(batch=2),
    Training(prior=0),
    Training(prior=0.3, batch=2, steps=6),
    Training(rank=4, alpha=8, targets=("to_q", "to_k", "to_v", "to_out.0")),
    Training(seed=7, weight_decay=0.3),
    Training(clip=0),
    Training(clip=1e-3),
    Training(schedule="cosine", warmup=3),
    Training(schedule="linear"),
    Training(weight="velocity"),
    Training(lr=1e-4),
], ids=["batch", "no prior", "weak prior", "rank 4 on four layers", "seed and decay", "unclipped", "clipped", "cosine", "linear",
        "velocity weight", "the paper's rate"])
def test_options(bench, settings):
    bench("demo", settings)


def test_a_class_of_another_prompt(bench):
    bench("demo", Training(), class_prompt="a man with glasses")


def test_class_pictures_are_drawn_with_the_prompt_of_the_class(w2w, models, tmp_path):
    model = models("demo")
    w2w("train", picture(tmp_path / "ann.png", 48, 48, 0), "-m", model.folder, "--class-prompt", "a man with glasses", "--num-class-images", 2,
        "--prepare", "-W", 64, "-H", 48, "-o", tmp_path / "out")
    expected = theirs(model.pipeline, seed=2, prompt="a man with glasses", negative_prompt="", num_inference_steps=50, guidance_scale=7.5, width=64,
                      height=48)
    assert_same_picture(tmp_path / "out/class/class-002.png", expected)


def test_people_together_are_people_alone(w2w, models, tmp_path):
    """Six people in passes of four, who have different pictures, numbers of pictures and prompts, against PEFT one by one."""
    model, settings = models("demo"), Training(batch=2, lr=1e-2)
    size = model.pipeline.unet.config.sample_size * model.pipeline.vae_scale_factor
    people = {f"p{i}": [(picture(tmp_path / f"{i}_{k}.png", 64, 64, 20 * i + k), f"sks person {'with glasses' if k else ''}".strip())
                        for k in range(1 + i % 3)] for i in range(6)}
    with open(tmp_path / "people.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name", "image", "prompt"])
        rows.writerows([name, path.name, prompt] for name, pictures in people.items() for path, prompt in pictures)
    (tmp_path / "class").mkdir()
    others = [picture(tmp_path / f"class/{i}.png", 64, 64, 90 + i) for i in range(2)]
    w2w("train", "--batch-file", tmp_path / "people.csv", "-m", model.folder, "--class-images", tmp_path / "class",
        "--format", "peft", "--together", 4, *arguments(settings), "-o", tmp_path / "out")
    for name, pictures in people.items():
        expected, expected_losses = train(
            model.pipeline, [(read_picture(path, size, size), prompt) for path, prompt in pictures],
            [(read_picture(p, size, size), "person") for p in others], settings)
        differences = difference(factors(tmp_path / f"out/{name}"), expected)
        loss = max(abs(a - b) / b for f, e in zip(losses(tmp_path / f"out/{name}_loss.csv"), expected_losses) for a, b in zip(f, e))
        print(f"\n{name}: {', '.join(f'{x:.1e}' for x in differences)}, losses {loss:.1e}")
        assert max(differences) <= FACTORS_BOUND and loss <= LOSS_BOUND
