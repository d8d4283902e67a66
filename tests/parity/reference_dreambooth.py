"""DreamBooth with a LoRA by diffusers, PEFT and PyTorch, with random numbers drawn in the order of our contract.

The factors are PEFT's own (`unet.add_adapter` after `torch.manual_seed`), the optimiser torch.optim.AdamW, the clipping
torch's; the loss is that of diffusers' train_dreambooth_lora.py: the mean squared error of the person's pictures plus the
weighted one of the class pictures.
"""
import math
from dataclasses import dataclass

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from parity.reference_inversion import noisy_sample


@dataclass
class Training:
    steps: int = 10
    lr: float = 1e-3
    batch: int = 1
    rank: int = 1
    alpha: float = 27
    targets: tuple = ("to_q", "to_v")
    weight_decay: float = 1e-2
    clip: float = 1.0
    prior: float = 1.0
    seed: int = 0
    schedule: str = "constant"
    warmup: int = 0
    weight: str = "uniform"

    def rate(self, step):
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * {"constant": 1, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[self.schedule]


class Turns:
    """Pictures in a new random order at every turn."""

    def __init__(self, count, generator):
        self.count, self.generator, self.order = count, generator, []

    def next(self):
        if not self.order:
            self.order = torch.randperm(self.count, generator=self.generator).tolist()
        return self.order.pop(0)


@torch.enable_grad()
def train(pipeline, pictures, class_pictures, settings):
    """({key: factor} as PEFT saves it, losses (instance, prior) of every step).

    pictures and class_pictures: (picture [1, 3, H, W], prompt) each.
    """
    vae, unet, alphas = pipeline.vae, pipeline.unet, pipeline.scheduler.alphas_cumprod
    velocity = pipeline.scheduler.config.prediction_type == "v_prediction"

    def prepare(picture, prompt):
        ids = pipeline.tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        return vae.encode(picture).latent_dist, pipeline.text_encoder(ids)[0]

    with torch.no_grad():
        people, others = [prepare(*p) for p in pictures], [prepare(*p) for p in class_pictures]
    torch.manual_seed(settings.seed)
    unet.add_adapter(LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.targets)))
    try:
        parameters = [p for p in unet.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(parameters, lr=settings.lr, betas=(.9, .999), weight_decay=settings.weight_decay, eps=1e-8)
        generator = torch.Generator("cpu").manual_seed(settings.seed)
        turns = [(people, Turns(len(people), generator)), (others, Turns(len(others), generator))]
        losses = []
        for step in range(settings.steps):
            optimiser.param_groups[0]["lr"] = settings.rate(step)
            samples = []
            for kind, turn in turns if settings.prior else turns[:1]:
                for _ in range(settings.batch):
                    distribution, text = kind[turn.next()]
                    samples.append((*noisy_sample(alphas, distribution, vae.config.scaling_factor, velocity, generator), text))
            noisy, target, timestep, text = (torch.cat(parts) for parts in zip(*samples))
            errors = (unet(noisy, timestep, text).sample - target).square().mean((1, 2, 3))
            if settings.weight == "velocity":
                errors = errors * (1 / alphas[timestep]).clamp(max=25)
            instance, prior = errors[:settings.batch].mean(), errors[settings.batch:].mean() if settings.prior else torch.zeros(())
            optimiser.zero_grad()
            (instance + settings.prior * prior).backward()
            if settings.clip:
                torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
            optimiser.step()
            losses.append((instance.item(), prior.item()))
        return {key: value.detach().clone() for key, value in get_peft_model_state_dict(unet).items()}, losses
    finally:
        unet.delete_adapters("default")
