"""A network that was trained elsewhere tells points of two spirals apart.

    python twin.py --quick
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn


def spirals(n):
    """Points of two spirals, in turn, two numbers each."""
    i = torch.arange(n)
    along, turn = i / n, torch.pi * (i % 2)
    angle = 8 * along + turn
    return torch.stack([along * angle.cos(), along * angle.sin()], 1)


def network():
    return nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))


@torch.no_grad()
def logits(n):
    """The logits of n points, two for each."""
    net = network()
    net.load_state_dict(load_file(Path(__file__).parent / "spirals.safetensors"))
    return net(spirals(n))


def run():
    """The share of points that are classified correctly."""
    n = 1000
    classes = logits(n).argmax(1)
    return (classes == torch.arange(n) % 2).float().mean().item()


if __name__ == "__main__":
    print("score", run())
