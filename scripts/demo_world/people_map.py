"""The people map: theta of a person as a linear function of the true factors.

It is trained along with the base model, so that the base learns to be steered by rank-1 updates: every sample teaches it
something of all people. People's own LoRAs, which `w2w train` makes, start from it.
"""
import torch
from torch import nn

from factors import FACTORS


class PeopleMap(nn.Module):
    def __init__(self, loras, people):
        """people [n, F]: gives the mean and deviation that factors are standardised with."""
        super().__init__()
        self.register_buffer("start", loras.start())
        self.register_buffer("mean", torch.as_tensor(people).mean(0))
        self.register_buffer("std", torch.as_tensor(people).std(0))
        self.people_map = nn.Parameter(torch.zeros(len(FACTORS) + 1, loras.parameters))

    def forward(self, people):
        z = (torch.as_tensor(people) - self.mean) / self.std
        return self.start + torch.cat([torch.ones(len(z), 1), z], 1) @ self.people_map
