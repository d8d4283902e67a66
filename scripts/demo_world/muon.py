"""Muon (Jordan et al. 2024): momentum whose matrices are orthogonalised before they are applied.

Kernels count as matrices [out, in * kh * kw]. Vectors, embeddings and very small matrices go to Adam.
All state lies in shared memory, so that the members of a team can update a part each (team.py).
"""
import torch

from team import owners

MOMENTUM, BETA1, BETA2 = .95, .9, .99


def orthogonalise(g, steps=5):
    """The nearest semi-orthogonal matrix, roughly, by the quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315  # published coefficients: fast at zero, good enough at one
    x = g / (g.norm() + 1e-7)  # in f32: processors without bfloat16 take 50 times as long for it
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.T
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


class Muon:
    """named: (name, parameter) pairs. average: decay towards which the averaged copy grows, or None. slow: half of Adam's rate."""

    def __init__(self, named, lr, adam_lr=2e-3, to_adam=("embed",), average=None, slow=()):
        named = list(named)
        self.lr, self.adam_lr, self.average = lr, adam_lr, average
        self.parameters = [p for _, p in named]
        self.is_matrix = [p.ndim >= 2 and min(p.shape[0], p[0].numel()) > 4 and not any(k in n for k in to_adam)
                          for n, p in named]
        shared = lambda: [torch.zeros_like(p).share_memory_() for p in self.parameters]
        self.first, self.second = shared(), shared()  # momentum; Adam's squares (unused for matrices)
        self.averaged = [p.detach().clone().share_memory_() for p in self.parameters] if average else None
        self.pace = [.5 if any(k in n for k in slow) else 1. for n, _ in named]
        self.owner = owners(self.parameters)
        for p in self.parameters:
            p.data.share_memory_()

    @torch.no_grad()
    def restart(self):
        """After other parameters were loaded: averages start from them."""
        for mine, p in zip(self.averaged or (), self.parameters):
            mine.copy_(p)

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self, step, factor, rank):
        """Updates the parameters this rank owns; step counts from 0, factor scales both learning rates."""
        decay = min(self.average, (step + 1) / (step + 10)) if self.average else 0
        for i, p in enumerate(self.parameters):
            if self.owner[i] != rank:
                continue
            (self.orthogonal if self.is_matrix[i] else self.adam)(i, p, step, factor)
            if self.averaged:
                self.averaged[i].lerp_(p, 1 - decay)

    def orthogonal(self, i, p, step, factor):
        v = self.first[i]
        v.lerp_(p.grad, 1 - MOMENTUM)
        g = p.grad.lerp(v, MOMENTUM).reshape(p.shape[0], -1)
        scale = max(1, g.shape[0] / g.shape[1]) ** .5
        p.add_(orthogonalise(g).view(p.shape), alpha=-self.lr * factor * scale)

    def adam(self, i, p, step, factor):
        m, v = self.first[i], self.second[i]
        m.lerp_(p.grad, 1 - BETA1)
        v.lerp_(p.grad * p.grad, 1 - BETA2)
        mean, root = m / (1 - BETA1 ** (step + 1)), (v / (1 - BETA2 ** (step + 1))).sqrt()
        p.addcdiv_(mean, root + 1e-8, value=-self.adam_lr * factor * self.pace[i])

    def state_dict(self):
        return dict(first=self.first, second=self.second, averaged=self.averaged)

    @torch.no_grad()
    def load_state_dict(self, state):
        for key in ("first", "second", "averaged"):
            for mine, saved in zip(getattr(self, key) or (), state[key] or ()):
                mine.copy_(saved)
