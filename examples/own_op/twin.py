"""An operation of one's own: its gradient is checked, then it is trained through.

    python twin.py --quick
"""

import sys

import torch
from torch.nn import functional as F


class Unit(torch.autograd.Function):
    """Rows of length 1: y = x/|x|, dx = (dy − y·⟨y, dy⟩)/|x|."""

    @staticmethod
    def forward(ctx, x):
        if x.dim() == 0 or x.shape[-1] == 0:
            raise ValueError(f"{tuple(x.shape)} has no rows; give it a last axis")
        norm = x.norm(dim=-1, keepdim=True)
        y = x / norm
        ctx.save_for_backward(y, norm)
        return y

    @staticmethod
    def backward(ctx, dy):
        y, norm = ctx.saved_tensors
        return (dy - y * (y * dy).sum(-1, keepdim=True)) / norm


def numbers(start, n):
    return torch.sin(torch.arange(start, start + n) * 1.7 + 0.3)


def train(n_steps):
    """Learns a matrix that maps directions to others; returns the losses."""
    weight = numbers(100, 9).reshape(3, 3).requires_grad_()
    optimizer = torch.optim.Adam([weight], lr=0.05)
    x, target = numbers(0, 48).reshape(16, 3), Unit.apply(numbers(1, 48).reshape(16, 3))
    losses = []
    for _ in range(n_steps):
        loss = F.mse_loss(Unit.apply(x @ weight), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main(quick):
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(Unit.apply, x)
    print("the gradient agrees with finite differences")
    losses = train(200 if quick else 5000)
    print("loss", losses[-1])


if __name__ == "__main__":
    main("--quick" in sys.argv)
