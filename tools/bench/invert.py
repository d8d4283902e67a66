"""`w2w invert` against the reference algorithm in f32 by PyTorch and diffusers, at full size on the CPU, in one run.

    .deps/venv/bin/python tools/bench/invert.py [--steps 5] [--components 10000] [--model FOLDER] [--space FOLDER]

Random weights of Stable Diffusion 1.5's shapes (made by compare.py's rules), a random space in the released form (V.pt of 4 GB)
and a random picture, all made once. Both sides draw the same random numbers; fails unless their losses agree to 1e-4. Each
runs in a process of its own; nothing else should be running. The peer is tests/parity/reference_inversion.py, which, unlike
the published code, computes picture and text embeddings and the product with V once, not in every module of every step.
"""
import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import ROOT, make_model

PARAMETERS = 99_648  # of rank-1 factors on to_q and to_v of all 64 attentions
PICTURE = "person.png"


def make_space(folder, components=10_000):
    import numpy as np
    import torch
    from PIL import Image
    folder.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(0)
    torch.save(torch.randn(PARAMETERS, generator=random) * 0.01, folder / "mean.pt")
    torch.save(torch.rand(PARAMETERS, generator=random) * 0.01, folder / "std.pt")
    torch.save(torch.randn(64, 1000, generator=random), folder / "proj_1000pc.pt")
    pixels = torch.randint(0, 256, (16, 16, 3), dtype=torch.uint8, generator=random)
    Image.fromarray(np.asarray(pixels)).resize((512, 512), Image.BICUBIC).save(folder / PICTURE)
    torch.save(torch.randn(PARAMETERS, components, generator=random).div_(PARAMETERS ** .5), folder / "V.pt")


def run_reference(model, space, steps, components, out):
    sys.path.insert(0, str(ROOT / "tests"))
    import torch
    from diffusers import StableDiffusionPipeline
    from types import SimpleNamespace

    from parity.reference_inversion import Inversion, invert, read_picture
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)
    linears = {n: m for n, m in pipeline.unet.named_modules() if n.endswith((".to_q", ".to_v"))}
    weights = {name: torch.load(space / f"{name}.pt", mmap=True) for name in ("V", "mean", "std")}
    made = SimpleNamespace(components=weights["V"].t(), mean=weights["mean"], std=weights["std"],
                           modules=[(n, linears[n].in_features, linears[n].out_features) for n in sorted(linears)])
    marks, step = [], torch.optim.Adam.step

    def marked(self):
        step(self)
        marks.append(time.time())

    torch.optim.Adam.step = marked
    _, losses = invert(pipeline, made, [read_picture(space / PICTURE, 512, 512)], None,
                       Inversion(steps=steps, components=components, seed=5))
    out.write_text(json.dumps({"marks": marks, "losses": losses}))


def run_w2w(binary, model, space, steps, components, out):
    """Each step is a line of progress on stderr, as long as there are at most ten."""
    command = [binary, "invert", space / PICTURE, "-m", model, "--space", space, "--steps", steps, "--components", components,
               "--seed", "5", "-o", out.with_suffix("")]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    marks = [time.time() for line in process.stderr if line.startswith("w2w: inverting")]
    if process.wait():
        sys.exit("w2w failed")
    with open(out.with_suffix("") / "person_loss.csv") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    out.write_text(json.dumps({"marks": marks, "losses": losses}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5, help="2 to 10")
    parser.add_argument("--components", type=int, default=10_000)
    parser.add_argument("--model", type=Path, default=ROOT / ".deps" / "full_size_model")
    parser.add_argument("--space", type=Path, default=ROOT / ".deps" / "full_size_space")
    parser.add_argument("--w2w", type=Path, default=ROOT / "build" / "w2w")
    args = parser.parse_args()
    if not (args.model / "model_index.json").exists():
        make_model(args.model)
    if not (args.space / "V.pt").exists():
        make_space(args.space)
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("w2w", "reference"):
            out = Path(scratch) / f"{name}.json"
            start, child = time.time(), os.fork()
            if child == 0:
                common = (args.model, args.space, args.steps, args.components, out)
                run_w2w(args.w2w, *common) if name == "w2w" else run_reference(*common)
                os._exit(0)
            _, status, usage = os.wait4(child, 0)
            if status:
                sys.exit(f"{name} failed")
            found = json.loads(out.read_text())
            gaps = [b - a for a, b in zip(found["marks"], found["marks"][1:])]
            figures[name] = {"seconds to the first step's end": found["marks"][0] - start,
                             "seconds per step": statistics.median(gaps),
                             "peak memory GiB": usage.ru_maxrss / 2**20, "losses": found["losses"]}
    losses = [figures[name].pop("losses") for name in figures]
    print(f"{'':34}{'w2w':>10}{'reference':>12}{'ratio':>8}")
    for key, value in figures["w2w"].items():
        other = figures["reference"][key]
        print(f"{key:34}{value:10.2f}{other:12.2f}{value / other:8.2f}")
    difference = max(abs(a / b - 1) for a, b in zip(*losses))
    print(f"largest relative difference of the {len(losses[0])} losses: {difference:.1e}")
    sys.exit(bool(difference > 1e-4))


if __name__ == "__main__":
    main()
