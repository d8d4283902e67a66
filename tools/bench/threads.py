"""How the default number of threads does beside other settings, on idle cores and beside busy neighbours.

    .deps/venv/bin/python tools/bench/threads.py [--work sample invert train full] [--repeats 3] [--full-model FOLDER]

Each command runs under every setting in turn, --repeats times, with nothing beside it ("idle") and with one busy loop per core
("busy"). Printed are the median seconds (least to most) and their ratio to the best setting's of the same row. Nothing else should be
running. "full" draws one 512x512 picture of 2 steps with a model of Stable Diffusion 1.5's size (tools/bench/compare.py makes it).
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {  # what is added to the environment and to the command line
    "default": ({}, []),
    "-t 1": ({}, ["-t", "1"]),
    "passive": ({"OMP_WAIT_POLICY": "passive"}, []),
    "spin 1000": ({"GOMP_SPINCOUNT": "1000"}, []),
    "spin 100000": ({"GOMP_SPINCOUNT": "100000"}, []),
    "spin 300000": ({"GOMP_SPINCOUNT": "300000"}, []),
}


def command_of(work, full_model, folder):
    """A command line and what it needs, made in `folder`."""
    w2w = str(ROOT / "build" / "w2w")
    if work in ("invert", "train"):
        (folder / "anna").mkdir()
        subprocess.run([w2w, "sample", "-q", "--identity-seed", "7", "--count", "1", "-n", "4", "-o", "anna/"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        pictures = sorted((folder / "anna").glob("*.png"))
        for path in (folder / "anna").glob("*.safetensors"):
            path.unlink()
        if work == "invert":
            return [w2w, "invert", str(pictures[0]), "--steps", "60", "-q"]
        people = folder / "people"
        for name in "abcdefgh":
            (people / name).mkdir(parents=True)
            for picture in pictures:
                (people / name / picture.name).write_bytes(picture.read_bytes())
        return [w2w, "train", "--batch-file", str(people), "--together", "8", "--steps", "6", "--batch", "4", "--prior-weight", "0", "-q"]
    if work == "full":
        import torch
        from safetensors.torch import save_file
        layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
        save_file({f"{layer}.lora_down.weight": torch.ones(1, 320), f"{layer}.lora_up.weight": torch.zeros(320, 1),
                   f"{layer}.alpha": torch.tensor(1.0)}, folder / "nothing.safetensors")
        return [w2w, "render", str(folder / "nothing.safetensors"), "-m", str(full_model), "-p", "a person", "--steps", "2", "-s", "1", "-q"]
    return [w2w, "sample", "--count", "8", "--identity-seed", "1", "-q"]


def seconds_of(command, setting):
    variables, options = SETTINGS[setting]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))} | variables
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.monotonic()
        subprocess.run([*command, *options, "-o", scratch + "/"], cwd=scratch, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - begun


def measure(command, settings, repeats, neighbours):
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(neighbours)]
    try:
        seconds = {setting: [] for setting in settings}
        for _ in range(repeats):
            for setting in settings:
                seconds[setting].append(seconds_of(command, setting))
        return seconds
    finally:
        for process in busy:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", nargs="+", default=["sample", "invert", "train"], choices=["sample", "invert", "train", "full"])
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--full-model", type=Path, default=ROOT / ".deps" / "full_size_model")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores; seconds: median (least to most), ratio to the best of the row")
    print(f"{'':16}" + "".join(f"{setting:>26}" for setting in args.settings))
    for work in args.work:
        with tempfile.TemporaryDirectory() as folder:
            command = command_of(work, args.full_model, Path(folder))
            for name, neighbours in (("idle", 0), ("busy", cores)):
                seconds = measure(command, args.settings, args.repeats, neighbours)
                medians = {setting: statistics.median(values) for setting, values in seconds.items()}
                cells = (f"{medians[s]:.1f} ({min(v):.1f} to {max(v):.1f}) {medians[s] / min(medians.values()):5.2f}"
                         for s, v in seconds.items())
                print(f"{work + ', ' + name:16}" + "".join(f"{cell:>26}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
