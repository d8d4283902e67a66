"""w2w against diffusers on a random model of Stable Diffusion 1.5's full size, f32 on the CPU, in one run.

    .deps/venv/bin/python tools/bench/compare.py [--steps 3] [--size 512] [--folder FOLDER]

The model (3.4 GB UNet, 0.5 GB text encoder, 0.3 GB VAE) is made once in FOLDER. Each side runs in a process of its own, first one,
then the other, --repeats times; the better figure of each counts. Nothing else should be running. Fails unless both sides' latents
agree to 1e-4 of their scale.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "sks person"


def make_model(folder, dtype=None):
    """Stable Diffusion 1.5's shapes with random weights; its tokenizer is CLIP's own vocabulary."""
    sys.path.insert(0, str(ROOT / "tests"))
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from parity.test_tokens import clip_entries, write_folder
    from transformers import CLIPTextConfig, CLIPTextModel
    torch.manual_seed(0)
    UNet2DConditionModel(cross_attention_dim=768).to(dtype).save_pretrained(folder / "unet")
    AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, down_block_types=["DownEncoderBlock2D"] * 4,
                  up_block_types=["UpDecoderBlock2D"] * 4, latent_channels=4, sample_size=512).to(dtype).save_pretrained(folder / "vae")
    CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_attention_heads=12,
                                 projection_dim=768)).to(dtype).save_pretrained(folder / "text_encoder")
    PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
                  steps_offset=1).save_pretrained(folder / "scheduler")
    write_folder(folder / "tokenizer", *clip_entries(), config={"tokenizer_class": "CLIPTokenizer", "model_max_length": 77,
                                                                "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
                                                                "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>"})
    (folder / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"], "safety_checker": [None, None], "feature_extractor": [None, None],
        "requires_safety_checker": False}))


def run_diffusers(folder, steps, size, latents_path):
    """Figures of one diffusers picture, printed as JSON; started as a process of its own by main()."""
    start = time.time() - time.process_time()
    import resource
    import statistics

    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    marks, unet = [], pipe.unet.forward

    def timed(*args, **kwargs):
        marks.append(time.time())
        return unet(*args, **kwargs)

    pipe.unet.forward = timed
    latents = pipe(PROMPT, num_inference_steps=steps, guidance_scale=3.0, height=size, width=size,
                   generator=torch.Generator().manual_seed(0), output_type="latent").images
    marks.append(time.time())
    durations = [b - a for a, b in zip(marks, marks[1:])]
    decode = time.time()
    with torch.no_grad():
        pipe.vae.decode(latents / pipe.vae.config.scaling_factor)
    from safetensors.torch import save_file
    save_file({"latents": latents.contiguous()}, latents_path)
    print(json.dumps({"seconds_to_first_step": marks[0] - start, "seconds_first_step": durations[0],
                      "seconds_per_step": statistics.median(durations[1:] or durations),
                      "seconds_decode": time.time() - decode,
                      "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


def seconds_to_read(folder):
    """A plain read of the weights from the page cache."""
    files = list(folder.rglob("*.safetensors"))
    for attempt in range(2):
        start = time.time()
        for file in files:
            with open(file, "rb", buffering=0) as handle:
                while handle.read(1 << 24):
                    pass
    return time.time() - start, sum(f.stat().st_size for f in files) / 2**30


def largest_difference(ours, theirs):
    """Of the latents, relative to the largest one."""
    from safetensors.torch import load_file
    ours, theirs = load_file(ours)["latents"], load_file(theirs)["latents"]
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / ".deps" / "full_size_model")
    parser.add_argument("--diffusers", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--latents", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.diffusers:
        return run_diffusers(args.folder, args.steps, args.size, args.latents)
    if not (args.folder / "model_index.json").exists():
        print("making the model ...", file=sys.stderr)
        make_model(args.folder)
    common = ["--steps", str(args.steps), "--size", str(args.size)]
    commands = {"w2w": [str(ROOT / "build" / "w2w_bench"), str(args.folder), *common],
                "diffusers": [sys.executable, __file__, "--diffusers", "--folder", str(args.folder), *common]}
    best = {name: {} for name in commands}
    read, size = seconds_to_read(args.folder)
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: Path(scratch) / f"{name}.safetensors" for name in commands}
        for _ in range(args.repeats):
            for name, command in commands.items():
                done = subprocess.run([*command, "--latents", str(files[name])], check=True, stdout=subprocess.PIPE)
                for key, value in json.loads(done.stdout.splitlines()[-1]).items():
                    best[name][key] = min(value, best[name].get(key, value))
        difference = largest_difference(*files.values())
    print(f"model {size:.2f} GiB, plain read from page cache {read:.2f} s")
    print(f"{'':28}{'w2w':>10}{'diffusers':>12}{'ratio':>8}")
    for key, value in best["w2w"].items():
        other = best["diffusers"].get(key)
        print(f"{key:28}{value:10.3f}" + (f"{other:12.3f}{value / other:8.2f}" if other else ""))
    print(f"largest difference of the latents after {args.steps} steps: {difference:.1e} of their scale")
    sys.exit(bool(difference > 1e-4))


if __name__ == "__main__":
    main()
