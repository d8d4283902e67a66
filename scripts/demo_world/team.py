"""Data-parallel training in processes of one thread each, on parameters in shared memory.

Two processes that meet twice a step keep going when another program takes one of the cores; two threads that
meet in every operation do not. Each member owns some of the parameters and alone updates them.
"""
import os

import torch
from torch import multiprocessing

MEMBERS = 2


class Team:
    """One member's view: rank, and the gradients of all members."""

    def __init__(self, rank, barrier, gradients, clock):
        self.rank, self.barrier, self.gradients, self.clock = rank, barrier, gradients, clock

    def meet(self):
        self.barrier.wait()

    def agree(self, value):
        """Member 0's value, for all; everybody's updates are done when it returns."""
        if self.rank == 0:
            self.clock[0] = value
        self.meet()
        return self.clock.item()

    def average(self, parameters):
        """Shares my gradients and leaves everybody's mean in every .grad."""
        at = 0
        for p in parameters:
            mine = self.gradients[self.rank][at:at + p.numel()]
            mine.copy_(p.grad.reshape(-1)) if p.grad is not None else mine.zero_()
            at += p.numel()
        self.meet()
        total = self.gradients.mean(0)
        at = 0
        for p in parameters:
            p.grad = total[at:at + p.numel()].view(p.shape)
            at += p.numel()


def owners(parameters):
    """Deals parameters out so that each member has about the same work; a rank per parameter."""
    load, owner = [0.] * MEMBERS, [0] * len(parameters)
    cost = lambda p: p.numel() * min(p.shape[0], p[0].numel()) if p.ndim >= 2 else p.numel()
    for i in sorted(range(len(parameters)), key=lambda i: -cost(parameters[i])):
        owner[i] = load.index(min(load))
        load[owner[i]] += cost(parameters[i])
    return owner


def run(train, parameters, *args):
    """Calls train(team, *args) in every member. What parameters and args hold in shared memory is shared."""
    torch.set_num_threads(1)
    context = multiprocessing.get_context("fork")
    gradients = torch.zeros(MEMBERS, sum(p.numel() for p in parameters)).share_memory_()
    clock = torch.zeros(1, dtype=torch.float64).share_memory_()
    barrier = context.Barrier(MEMBERS)

    def member(rank):
        torch.set_num_threads(1)
        try:
            train(Team(rank, barrier, gradients, clock), *args)
        except BaseException:
            barrier.abort()
            raise

    members = [context.Process(target=member, args=(rank,)) for rank in range(1, MEMBERS)]
    for m in members:
        m.start()
    member(0)
    for m in members:
        m.join()
        if m.exitcode:
            os._exit(m.exitcode)
