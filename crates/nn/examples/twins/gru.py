"""A GRU learns the adding problem: two numbers in a row are marked, and the target is their sum.

    python gru.py --quick
"""

import sys

import torch
from torch import nn
from torch.nn import functional as F

LENGTH = 20


class Adder(nn.Module):
    """Rows of (number, mark), [n, t, 2], to one number each."""

    def __init__(self, hidden_size):
        super().__init__()
        self.gru = nn.GRU(2, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x):
        y, _ = self.gru(x)
        return self.head(y[:, -1])


def problems(n):
    numbers = torch.rand(n, LENGTH)
    places = torch.rand(n, LENGTH).topk(2).indices
    marks = torch.zeros(n, LENGTH).scatter(1, places, 1.0)
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(1, keepdim=True)


def train(net, batches):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for x, y in batches:
        loss = F.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main(quick):
    torch.manual_seed(0)
    net = Adder(32)
    losses = train(net, (problems(32) for _ in range(400 if quick else 3000)))
    for step, loss in list(enumerate(losses))[::100]:
        print(f"step {step:4}: loss {loss:.4f}")
    print("loss", losses[-1])


if __name__ == "__main__":
    main("--quick" in sys.argv)
