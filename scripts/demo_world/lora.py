"""Rank-1 LoRAs of many people at once on a UNet: every picture of a batch has its own A and B.

theta [P] of one person is the modules in alphabetical order, for each A [in] and then B [out];
W x becomes W x + ALPHA * B (A . x), on to_q and to_v of both attentions.
"""
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from world import uniform_like_linear

ALPHA = 27.
TARGETS = ("attn1.to_q", "attn1.to_v", "attn2.to_q", "attn2.to_v")


class ManyLinear(nn.Module):
    """A frozen linear layer with one rank-1 update per group of the batch."""

    def __init__(self, linear):
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.a = self.b = None

    def forward(self, x):
        y = nn.functional.linear(x, self.weight, self.bias)
        if self.a is None:
            return y
        groups = x.reshape(len(self.a), -1, x.shape[-1])
        inner = torch.bmm(groups, self.a.unsqueeze(2).to(x.dtype))
        return y + ALPHA * (inner * self.b.unsqueeze(1).to(x.dtype)).reshape(y.shape)


class ManyLoras:
    """Puts ManyLinear into a UNet; set(theta) gives the weights of the next call."""

    def __init__(self, unet):
        names = sorted(n for n, _ in unet.named_modules() if n.endswith(TARGETS))
        self.modules = []
        for name in names:
            parent = unet.get_submodule(name.rpartition(".")[0])
            layer = ManyLinear(getattr(parent, name.rpartition(".")[2]))
            setattr(parent, name.rpartition(".")[2], layer)
            self.modules.append((name, layer))
        self.shapes = [(name, m.weight.shape[1], m.weight.shape[0]) for name, m in self.modules]
        self.parameters = sum(i + o for _, i, o in self.shapes)

    def set(self, theta):
        """theta [groups, P]; the batch holds equally many pictures of each group, in order. None: off."""
        at = 0
        for (_, layer), (_, i, o) in zip(self.modules, self.shapes):
            layer.a = None if theta is None else theta[:, at:at + i]
            layer.b = None if theta is None else theta[:, at + i:at + i + o]
            at += i + o

    def start(self, seed=0):
        """The theta every person starts from: A as torch initialises a linear layer, B zero."""
        g = torch.Generator().manual_seed(seed)
        return torch.cat([part for _, i, o in self.shapes for part in (uniform_like_linear(i, g), torch.zeros(o))])


def theta_of(path, shapes):
    """theta [P] of a LoRA file that `w2w train` wrote: its lora_up holds ALPHA * B."""
    file, parts = load_file(path), []
    for name, _, _ in shapes:
        key = "lora_unet_" + name.replace(".", "_")
        parts += [file.pop(f"{key}.lora_down.weight").float().flatten(), file.pop(f"{key}.lora_up.weight").float().flatten() / ALPHA]
    assert not file, f"{path} has more modules than the UNet: {list(file)[:2]}"
    return torch.cat(parts)


def save_theta(theta, shapes, path):
    """theta [P] as a LoRA file, the inverse of theta_of."""
    tensors, at = {}, 0
    for name, i, o in shapes:
        key, (a, b) = "lora_unet_" + name.replace(".", "_"), theta[at:at + i + o].split([i, o])
        tensors |= {f"{key}.lora_down.weight": a.reshape(1, i).clone(), f"{key}.lora_up.weight": ALPHA * b.reshape(o, 1)}
        at += i + o
    save_file(tensors, path)


def theta_of_all(folder, shapes, count=None):
    """theta [n, P] of the first people of a folder, in alphabetical order; those in training are not there yet."""
    paths = [p for p in sorted(Path(folder).glob("*.safetensors")) if not p.stem.endswith("_checkpoint")]
    return torch.stack([theta_of(p, shapes) for p in paths[:count]])
