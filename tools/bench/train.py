"""`w2w train`, people together and one by one, against DreamBooth by diffusers and PEFT, on the CPU in one run.

    .deps/venv/bin/python tools/bench/train.py [--people 16] [--steps 50] [--batch 4] [--together 1,4,8,16] [--model FOLDER]

Random pictures, the demo world's model unless another is given, no class pictures, f32. The peer is
tests/parity/reference_dreambooth.py, which encodes pictures and prompts once, trains the first two people and is scaled up;
fails unless the losses of everybody it trained agree to 1e-4. Nothing else should be running. Each side uses all cores.
"""
import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import ROOT

PEER_PEOPLE = 2


def draw_people(folder, people, pictures, size):
    import numpy as np
    from PIL import Image
    random = np.random.default_rng(0)
    for person in range(people):
        (folder / f"p{person:03}").mkdir(parents=True)
        for i in range(pictures):
            coarse = random.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(coarse).resize((size, size), Image.BICUBIC).save(folder / f"p{person:03}" / f"{i}.png")


def run_peer(model, folder, size, steps, batch, out):
    """In a process of its own: seconds of the training loops and the losses."""
    sys.path.insert(0, str(ROOT / "tests"))
    import torch
    from diffusers import StableDiffusionPipeline

    from parity.reference_dreambooth import Training, train
    from parity.reference_inversion import read_picture
    torch.set_grad_enabled(False)
    pipeline = StableDiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32)
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)
    losses, seconds = {}, 0
    for person in sorted(folder.iterdir())[:PEER_PEOPLE]:
        pictures = [(read_picture(path, size, size), "sks person") for path in sorted(person.iterdir())]
        start = time.time()
        _, rows = train(pipeline, pictures, [], Training(steps=steps, batch=batch, prior=0))
        seconds += time.time() - start
        losses[person.name] = [instance for instance, _ in rows]
    out.write_text(json.dumps({"seconds": seconds, "losses": losses}))


def run_w2w(binary, model, folder, steps, batch, together, out):
    """Seconds of the whole command, start and encoding included, and the losses."""
    start = time.time()
    command = [binary, "train", "--batch-file", folder, "-m", model, "--steps", steps, "--batch", batch, "--lr", "1e-3",
               "--prior-weight", "0", "--together", together, "-o", out, "-q"]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    seconds = time.time() - start
    losses = {}
    for path in sorted(out.glob("*_loss.csv")):
        with open(path, newline="") as file:
            losses[path.name.removesuffix("_loss.csv")] = [float(row["instance"]) for row in csv.DictReader(file)]
    return seconds, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build" / "w2w"))
    parser.add_argument("--model", type=Path, default=ROOT / "share/w2w/demo/model")
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--together", default="1,4,8,16")
    parser.add_argument("--peer", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    config = json.loads((args.model / "unet/config.json").read_text())
    levels = len(json.loads((args.model / "vae/config.json").read_text())["block_out_channels"])
    size = config["sample_size"] * 2 ** (levels - 1)
    if args.peer:
        return run_peer(args.model, args.peer[0], size, args.steps, args.batch, args.peer[1])
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        people, result = scratch / "people", scratch / "peer.json"
        draw_people(people, args.people, args.pictures, size)
        arguments = [f"--{name}={getattr(args, name)}" for name in ("model", "steps", "batch")]
        subprocess.run([sys.executable, __file__, *arguments, "--peer", people, result], check=True)
        peer = json.loads(result.read_text())
        each = peer["seconds"] / PEER_PEOPLE
        print(f"{args.people} people, {args.steps} steps of {args.batch} pictures, {size} x {size}")
        print(f"{'':24} {'people a minute':>16} {'ratio':>7}")
        print(f"{'diffusers and PEFT':24} {60 / each:16.2f} {1:7.2f}")
        for together in args.together.split(","):
            seconds, losses = run_w2w(args.binary, args.model, people, args.steps, args.batch, together, scratch / together)
            worst = max(abs(a / b - 1) for name, expected in peer["losses"].items() for a, b in zip(losses[name], expected))
            assert worst < 1e-4, f"losses differ by {worst:.1e}"
            print(f"{'w2w --together ' + together:24} {60 * args.people / seconds:16.2f} {each * args.people / seconds:7.2f}", flush=True)


if __name__ == "__main__":
    main()
