"""The reference's inversion in float32 by PyTorch and diffusers, with random numbers drawn in the order of our contract.

Adam minimises the mean of (mask * (prediction - target))^2 over coefficients c that begin at zero, where each adapted
matrix W becomes W + 27 B A and all A, B are slices of theta = (c V) * std + mean. Weight decay is Adam's own: decay * c is
added to the gradient (torch.optim.Adam). What the reference lacks is ours: pictures and masks of any size, cropped alike;
several pictures; batches; accumulation; models that predict velocity; and `fast`, which moves z, where c = spread * z, and
lets the learning rate fall to 0 along half a cosine; and `prior`, which scales z back to that root mean square.
"""
import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from parity.tiny_spaces import ALPHA


@dataclass
class Inversion:
    steps: int = 10
    lr: float = 0.1
    weight_decay: float = 1e-10
    components: int | None = None  # the first so many of the space
    batch: int = 1
    accumulate: int = 1
    seed: int = 5
    prompt: str = "sks person"
    fast: bool = False
    prior: float = 0


class AdaptedLinear(torch.nn.Module):
    """W x + 27 B (A x)."""

    def __init__(self, linear):
        super().__init__()
        self.linear = linear
        self.down = self.up = None

    def forward(self, x):
        return self.linear(x) + ALPHA * functional.linear(functional.linear(x, self.down), self.up)


class AdaptedUNet:
    """Puts AdaptedLinear into a diffusers UNet for as long as the `with` block lasts."""

    def __init__(self, unet, modules):
        self.unet, self.modules = unet, modules
        self.layers = {name: AdaptedLinear(unet.get_submodule(name)) for name, _, _ in modules}

    def __enter__(self):
        for name, layer in self.layers.items():
            self.unet.set_submodule(name, layer)
        return self

    def __exit__(self, *_):
        for name, layer in self.layers.items():
            self.unet.set_submodule(name, layer.linear)

    def set(self, theta):
        for name, columns, rows in self.modules:
            down, up, theta = theta.split([columns, rows, len(theta) - columns - rows])
            self.layers[name].down, self.layers[name].up = down[None], up[:, None]


def fit(values, width, height):
    """Values [C, H, W]: the largest centred part of the wanted shape, antialiased bilinear -> [1, C, height, width]."""
    rows, columns = values.shape[-2:]
    w, h = min(columns, round(rows * width / height)), min(rows, round(columns * height / width))
    left, top = (columns - w) // 2, (rows - h) // 2
    part = values[None, :, top:top + h, left:left + w]
    return functional.interpolate(part, (height, width), mode="bilinear", antialias=True)


def read_picture(path, width, height):
    """[1, 3, height, width] in -1..1."""
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32)
    return fit(torch.from_numpy(pixels).permute(2, 0, 1), width, height) / 127.5 - 1


def read_mask(path, width, height):
    """[1, 1, height, width] over the latents, in 0..1, of grey of any depth, or of the alpha channel where there is one."""
    image = Image.open(path)
    if "A" in image.getbands():
        grey, white = np.asarray(image.getchannel("A")), 255
    elif image.mode.startswith("I"):
        grey, white = np.asarray(image, np.int32), 65535
    else:
        grey, white = np.asarray(image.convert("L")), 255
    return fit(torch.from_numpy(grey.astype(np.float32) / white)[None], width, height)


def noisy_sample(alphas, distribution, scaling_factor, velocity, generator):
    """(noisy latent, target, timestep) of one batch element; posterior noise, then noise, then the timestep are drawn."""
    shape = distribution.mean.shape
    latent = (distribution.mean + distribution.std * torch.randn(shape, generator=generator)) * scaling_factor
    noise = torch.randn(shape, generator=generator)
    timestep = torch.randint(0, 1000, (1,), generator=generator)
    signal, sigma = alphas[timestep].sqrt(), (1 - alphas[timestep]).sqrt()
    return signal * latent + sigma * noise, signal * noise - sigma * latent if velocity else noise, timestep


@torch.enable_grad()
def invert(pipeline, space, pictures, masks, settings):
    """(coefficients [k], loss of every step). pictures [1, 3, H, W] each, masks one per picture [1, 1, h, w] or None."""
    vae, scheduler = pipeline.vae, pipeline.scheduler
    ids = pipeline.tokenizer(settings.prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    with torch.no_grad():
        distributions = [vae.encode(picture).latent_dist for picture in pictures]
        text = pipeline.text_encoder(ids.input_ids)[0]
    masks = masks or [torch.ones_like(d.mean[:, :1]) for d in distributions]
    velocity = scheduler.config.prediction_type == "v_prediction"
    components = space.components[:settings.components]
    std = space.projections.std(0)[:len(components)] if settings.fast or settings.prior else 1
    spread = std if settings.fast else 1
    position = torch.zeros(len(components), requires_grad=True)
    optimiser = torch.optim.Adam([position], lr=settings.lr, weight_decay=settings.weight_decay)
    generator, losses, drawn = torch.Generator("cpu").manual_seed(settings.seed), [], 0
    with AdaptedUNet(pipeline.unet, space.modules) as adapted:
        for step in range(settings.steps):
            optimiser.zero_grad()
            if settings.fast:
                optimiser.param_groups[0]["lr"] = settings.lr * (1 + math.cos(math.pi * step / settings.steps)) / 2
            adapted.set((position * spread @ components) * space.std + space.mean)
            total = 0
            for _ in range(settings.accumulate):
                chosen = [(drawn + j) % len(pictures) for j in range(settings.batch)]
                drawn += settings.batch
                samples = [noisy_sample(scheduler.alphas_cumprod, distributions[i], vae.config.scaling_factor, velocity,
                                        generator) for i in chosen]
                noisy, target, timestep = (torch.cat(parts) for parts in zip(*samples))
                mask = torch.cat([masks[i] for i in chosen])
                prediction = pipeline.unet(noisy, timestep, text.expand(len(noisy), -1, -1)).sample
                total = total + (mask * (prediction - target)).square().mean() / settings.accumulate
            total.backward()
            optimiser.step()
            if settings.prior:
                with torch.no_grad():
                    position *= min(1, settings.prior / ((position * spread) / std).square().mean().sqrt().item())
            losses.append(total.item())
    return position.detach() * spread, losses
