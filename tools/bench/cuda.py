"""w2w against diffusers on a random model of Stable Diffusion 1.5's full size on a GPU, in one run.

    python tools/bench/cuda.py [--steps 30] [--repeats 5] [--dtype bf16] [--peers eager,compiled] [--folder FOLDER]

The model is made once in FOLDER. Guided steps of 512 x 512 pixels at batch 1 (two samples in the UNet), whole pictures, and for w2w
swaps of the person, several people in a batch, and steps of inversion over 10,000 random components. Medians of --repeats after a
first run that is not counted.
Needs torch, diffusers and transformers for this GPU, beside a w2w that was built with its CUDA plug-in ($W2W_BUILD, or build/).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from compare import PROMPT, ROOT, make_model


def run_w2w(folder, args):
    binary = Path(os.environ.get("W2W_BUILD", ROOT / "build")) / "w2w_bench"
    command = [binary, folder, "--device", "cuda", "--dtype", args.dtype, "--steps", args.steps, "--repeats", args.repeats,
               "--people", args.people, "--inversion", args.inversion]
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_diffusers(folder, args, compiled):
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    dtype = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}[args.dtype]
    pipe = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=dtype).to("cuda")
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    if compiled:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.unet = torch.compile(pipe.unet, mode="reduce-overhead", fullgraph=True)
    rates, pictures = [], []
    for repeat in range(args.repeats + 1):
        marks = []

        def mark(pipe, step, timestep, values):
            if not marks:
                torch.cuda.synchronize()
                marks.append(time.time())
            return values

        common = dict(height=512, width=512, num_inference_steps=args.steps, guidance_scale=3.0, generator=torch.Generator().manual_seed(0))
        pipe(PROMPT, output_type="latent", callback_on_step_end=mark, **common)
        torch.cuda.synchronize()
        rate = (args.steps - 1) / (time.time() - marks[0])
        start = time.time()
        pipe(PROMPT, **common)
        if repeat > 0:
            rates.append(rate)
            pictures.append(time.time() - start)
    return {"steps_per_second": statistics.median(rates), "picture_seconds": statistics.median(pictures)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--people", type=int, default=8, help="in one batch")
    parser.add_argument("--inversion", type=int, default=40, help="steps")
    parser.add_argument("--dtype", default="bf16", choices=["bf16", "f16", "f32"])
    parser.add_argument("--peers", default="eager,compiled")
    parser.add_argument("--folder", type=Path, default=ROOT / ".deps" / "full_size_model_f16")
    args = parser.parse_args()
    if not (args.folder / "model_index.json").exists():
        import torch
        print("making the model ...", file=sys.stderr)
        make_model(args.folder, torch.float16)
    found = {"w2w": run_w2w(args.folder, args)}
    print(json.dumps(found), file=sys.stderr)
    for peer in filter(None, args.peers.split(",")):
        start = time.time()
        found[f"diffusers {peer}"] = run_diffusers(args.folder, args, peer == "compiled")
        print(f"diffusers {peer}: {time.time() - start:.0f} s in all", file=sys.stderr)
    columns = list(found)
    print(f"{'':28}" + "".join(f"{column:>20}" for column in columns))
    for key in found["w2w"]:
        print(f"{key:28}" + "".join(f"{found[column][key]:20.4g}" if key in found[column] else f"{'':20}" for column in columns))


if __name__ == "__main__":
    main()
