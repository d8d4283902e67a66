"""w2w against diffusers on a random model of Stable Diffusion 1.5's full size on a GPU, in one run.

    python tools/bench/cuda.py [--steps 30] [--repeats 5] [--dtype bf16] [--peers eager,compiled] [--folder FOLDER]

The model is made once in FOLDER. Guided steps of 512 x 512 pixels, one picture at a time and --batch together (of as many people for
w2w, of one for diffusers), whole pictures, and for w2w swaps of the person. Inversion over 10,000 random components, beside the
reference algorithm in PyTorch and diffusers. The whole of `w2w sample --count 64`, from the start of the program to the last file.
Medians of --repeats after a first run that is not counted. `space_build.py --device cuda` does the same for `space build`.
Needs torch, diffusers and transformers for this GPU, beside a w2w that was built with its CUDA plug-in ($W2W_BUILD, or build/).
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import PROMPT, ROOT, make_model
from invert import make_space

BUILD = Path(os.environ.get("W2W_BUILD", ROOT / "build"))


def torch_dtype(args):
    import torch
    return {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}[args.dtype]


def run_w2w(folder, args):
    command = [BUILD / "w2w_bench", folder, "--device", "cuda", "--dtype", args.dtype, "--steps", args.steps, "--repeats",
               args.repeats, "--people", args.batch, "--inversion", args.inversion]
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if args.sample:
        found["people_sampled_per_second"] = args.sample / sample(folder, args)
    return found


def sample(folder, args):
    """Seconds of the command that draws --sample people, one picture of each."""
    space = folder.parent / (folder.name + "_space")
    if not (space / "V.pt").exists():
        make_space(space, 1000)
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        command = [BUILD / "w2w", "sample", "--count", args.sample, "--together", args.batch, "--steps", args.steps, "-s", "1",
                   "--identity-seed", "1", "-m", folder, "--space", space, "--device", "cuda", "--dtype", args.dtype, "-q", "-o", out]
        start = time.time()
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        seconds = time.time() - start
        assert len(list(Path(out).glob("*.png"))) == args.sample
    return seconds


def run_diffusers(folder, args, compiled):
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    pipe = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch_dtype(args)).to("cuda")
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    if compiled:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.unet = torch.compile(pipe.unet, mode="reduce-overhead", fullgraph=True, dynamic=False)

    def measure(batch):
        """(steps a second, seconds of a whole run)"""
        rates, runs = [], []
        for repeat in range(args.repeats + 1):
            marks = []

            def mark(pipe, step, timestep, values):
                if not marks:
                    torch.cuda.synchronize()
                    marks.append(time.time())
                return values

            common = dict(height=512, width=512, num_inference_steps=args.steps, guidance_scale=3.0, num_images_per_prompt=batch,
                          generator=torch.Generator().manual_seed(0))
            pipe(PROMPT, output_type="latent", callback_on_step_end=mark, **common)
            torch.cuda.synchronize()
            rate = (args.steps - 1) / (time.time() - marks[0])
            start = time.time()
            pipe(PROMPT, **common)
            if repeat > 0:
                rates.append(rate)
                runs.append(time.time() - start)
        return statistics.median(rates), statistics.median(runs)

    steps, picture = measure(1)
    print(f"{steps:.1f} steps/s, a picture in {picture:.3f} s", file=sys.stderr, flush=True)
    steps_together, together = measure(args.batch)
    return {"steps_per_second": steps, "picture_seconds": picture, "steps_per_second_together": steps_together,
            "people_per_second": args.batch / together}


def run_reference_inversion(folder, args, components=10_000, device="cuda"):
    """The reference's algorithm with everything on the device, its random numbers too, and nothing that waits for them."""
    sys.path.insert(0, str(ROOT / "tests"))
    import torch
    from diffusers import StableDiffusionPipeline
    from parity.reference_inversion import AdaptedUNet
    dtype = torch_dtype(args)
    pipe = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=dtype).to(device)
    unet = pipe.unet.requires_grad_(False)
    with torch.no_grad():
        text = pipe.encode_prompt(PROMPT, torch.device(device), 1, False)[0]
    linears = {n: m for n, m in unet.named_modules() if n.endswith((".to_q", ".to_v"))}
    modules = [(n, linears[n].in_features, linears[n].out_features) for n in sorted(linears)]
    parameters = sum(columns + rows for _, columns, rows in modules)
    basis = torch.randn(components, parameters, device=device, dtype=dtype) / parameters ** .5
    mean, std = 0.01 * torch.randn(parameters, device=device), 0.01 * torch.rand(parameters, device=device)
    position = torch.zeros(components, device=device, requires_grad=True)
    optimiser = torch.optim.Adam([position], lr=0.1)
    latent = torch.randn(1, unet.config.in_channels, unet.config.sample_size, unet.config.sample_size, device=device)
    alphas = pipe.scheduler.alphas_cumprod.to(device)
    steps, rates = max(1, args.inversion // 10), []
    with AdaptedUNet(unet, modules) as adapted:
        for repeat in range(3):
            start = time.time()
            for _ in range(steps):
                noise, timestep = torch.randn_like(latent), torch.randint(0, 1000, (1,), device=device)
                noisy = alphas[timestep].sqrt() * latent + (1 - alphas[timestep]).sqrt() * noise
                adapted.set(((position.to(dtype) @ basis) * std + mean).to(dtype))
                prediction = unet(noisy.to(dtype), timestep, text).sample
                optimiser.zero_grad()
                loss = (prediction.float() - noise).square().mean()
                loss.backward()
                optimiser.step()
            assert math.isfinite(loss.item())
            rates.append(steps / (time.time() - start))
    return {"inversion_steps_per_second": statistics.median(rates[1:])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8, help="people, or pictures, together")
    parser.add_argument("--sample", type=int, default=64, help="people")
    parser.add_argument("--inversion", type=int, default=400, help="steps; a tenth of them for the reference, which is slower")
    parser.add_argument("--dtype", default="bf16", choices=["bf16", "f16", "f32"])
    parser.add_argument("--peers", default="eager,compiled")
    parser.add_argument("--folder", type=Path, default=ROOT / ".deps" / "full_size_model_f16")
    args = parser.parse_args()
    if not (args.folder / "model_index.json").exists():
        import torch
        print("making the model ...", file=sys.stderr)
        make_model(args.folder, torch.float16)
    found = {"w2w": run_w2w(args.folder, args)}
    print(f"w2w: {json.dumps(found['w2w'])}", file=sys.stderr)
    for peer in filter(None, args.peers.split(",")):
        start = time.time()
        found[f"diffusers {peer}"] = run_diffusers(args.folder, args, peer == "compiled")
        if peer == "eager":
            found[f"diffusers {peer}"] |= run_reference_inversion(args.folder, args)
        print(f"diffusers {peer}, {time.time() - start:.0f} s in all: {json.dumps(found[f'diffusers {peer}'])}", file=sys.stderr)
    columns = list(found)
    print(f"{'':28}" + "".join(f"{column:>20}" for column in columns))
    for key in found["w2w"]:
        print(f"{key:28}" + "".join(f"{found[column][key]:20.4g}" if key in found[column] else f"{'':20}" for column in columns))


if __name__ == "__main__":
    main()
