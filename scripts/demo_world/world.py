"""The shape of the demo world: where things lie, which models it is made of, and its noise schedule."""
import json
import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".deps" / "demo_world"       # pictures, checkpoints, sheets: not in git
SHARE = ROOT / "share" / "w2w" / "demo"    # what ships
SIZE, LATENT = 64, 16                      # pixels and latent pixels
PICTURES_PER_PERSON = 10
PEOPLE, HELD_OUT = 240, 30                 # drawn; how many are trained depends on the time

WORK.mkdir(parents=True, exist_ok=True)
torch.set_num_threads(1)  # training runs in processes, see team.py


def make_vae(scaling_factor=1.0):
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64), sample_size=SIZE, scaling_factor=scaling_factor)


def make_unet():
    return UNet2DConditionModel(
        sample_size=LATENT, in_channels=4, out_channels=4, layers_per_block=1, norm_num_groups=16,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(64, 96, 128), cross_attention_dim=64, attention_head_dim=4)


@torch.no_grad()
def pass_input_through(unet):
    """Starts a fresh UNet as epsilon = input, the right answer in pure noise, so that it need not learn to copy.

    Eight channels carry z and -z from conv_in over the last skip connection to the output, where
    silu(z) - silu(-z) = z. The groups of the last norm (4 channels) hold nothing else.
    """
    copies = 8
    unet.conv_in.weight[:copies], unet.conv_in.bias[:copies] = 0, 0
    unet.conv_out.weight.zero_()
    last, skip = unet.up_blocks[-1], unet.conv_in.out_channels  # the skipped channels come second
    shortcut, block = last.resnets[-1].conv_shortcut, last.attentions[-1]
    for layer in (shortcut, last.resnets[-1].conv2, block.proj_out):
        layer.weight[:copies], layer.bias[:copies] = 0, 0
    for k in range(copies):
        channel, sign = k // 2, 1 - 2 * (k % 2)
        unet.conv_in.weight[k, channel, 1, 1] = sign
        shortcut.weight[k, skip + k] = 1
        unet.conv_out.weight[channel, k, 1, 1] = sign
    unet.conv_norm_out.weight[:copies], unet.conv_norm_out.bias[:copies] = 1, 0
    unet.conv_out.bias.zero_()
    return unet


def make_text_encoder(vocabulary):
    """The last two entries of the vocabulary are the start and the end mark, as in CLIP."""
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=64, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=77, hidden_act="quick_gelu", projection_dim=64,
        bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1))


# Stable Diffusion's own schedule. Linear betas up to .015 or .02 end nearer to pure noise and were tried: epsilon then asks
# for more precision than a short training gives (worse than the mean picture above step 850, after 11,000 samples).
BETAS = dict(beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear")
SQRT_BETAS = torch.linspace(BETAS["beta_start"] ** .5, BETAS["beta_end"] ** .5, 1000)
ALPHAS_CUMPROD = torch.cumprod(1 - SQRT_BETAS ** 2, 0)
MAX_WEIGHT = 25.


def make_scheduler():
    scheduler = PNDMScheduler(num_train_timesteps=1000, prediction_type="epsilon", skip_prk_steps=True,
                              steps_offset=1, set_alpha_to_one=False, timestep_spacing="leading", **BETAS)
    scheduler.register_to_config(clip_sample=False)  # PNDM never clips; a DDIM made of this config must not either
    return scheduler


def add_noise(x, t, noise):
    a = ALPHAS_CUMPROD[t].view(-1, 1, 1, 1)
    return a.sqrt() * x + (1 - a).sqrt() * noise


def loss_weight(t):
    """1/alphas_cumprod makes the error of epsilon that of v, up to a limit."""
    return (1 / ALPHAS_CUMPROD[t]).clamp(max=MAX_WEIGHT)


# Where training spends its timesteps: mostly in the upper half, where words and LoRAs decide who appears.
QUANTILES = ((0, 0), (.05, 100), (.38, 500), (1, 1000))


def stratified_timesteps(count, generator):
    """count timesteps, one in each of count equal stretches of the distribution above."""
    u = ((torch.arange(count) + torch.rand(count, generator=generator)) / count).numpy()
    t = np.interp(u, [q for q, _ in QUANTILES], [t for _, t in QUANTILES])
    return torch.from_numpy(t).long().clamp(max=999)


@torch.no_grad()
def ddim(epsilon, z, steps):
    """Deterministic sampling for sheets and measurements; epsilon(z, t) is already guided."""
    times = [1 + (1000 // steps) * i for i in reversed(range(steps))]
    for t, after in zip(times, times[1:] + [None]):
        e = epsilon(z, t)
        a, b = ALPHAS_CUMPROD[t], ALPHAS_CUMPROD[after if after is not None else 0]
        z = b.sqrt() * (z - (1 - a).sqrt() * e) / a.sqrt() + (1 - b).sqrt() * e
    return z


def guided(unet, text, empty, scale):
    """epsilon(z, t) with classifier-free guidance; text [B, 77, C], empty [1, 77, C]."""
    def epsilon(z, t):
        both = torch.cat([empty.expand(len(z), -1, -1), text])
        low, high = unet(torch.cat([z, z]), t, both).sample.chunk(2)
        return low + scale * (high - low)
    return epsilon


def decode(vae, z):
    with torch.no_grad():
        parts = [vae.decode(part / vae.config.scaling_factor).sample for part in z.split(64)]
    return (torch.cat(parts).clamp(-1, 1) + 1) / 2


def save(path, state):
    """Writes aside, then renames: an interruption leaves the old checkpoint."""
    aside = Path(str(path) + ".part")
    torch.save(state, aside)
    aside.rename(path)


def load(path):
    return torch.load(path, weights_only=False)


def psnr(a, b):
    return (-10 * (a - b).pow(2).mean((1, 2, 3)).log10()).mean().item()


def write_json(path, value):
    Path(path).write_text(json.dumps(value, indent=1) + "\n")


def fade(done, warm, share):
    """Learning rate factor: warm up over the first `warm` steps, then straight down with the share done."""
    return min(1, (done + 1) / warm) * max(.01, 1 - share)


def uniform_like_linear(n, generator):
    """torch's default initial values of a linear layer with n inputs."""
    bound = 1 / math.sqrt(n)
    return (torch.rand(n, generator=generator) * 2 - 1) * bound
