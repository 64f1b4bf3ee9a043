"""Fine-tuning: the body of a trained network under a new head, first frozen, then trained with the head.

    python fine_tune.py --quick
"""

import itertools
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

SIZE = 12


def body():
    first = nn.Sequential(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU())
    second = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU())
    return nn.Sequential(first, second, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Net(nn.Module):
    """Images to logits."""

    def __init__(self, n_classes):
        super().__init__()
        self.body = body()
        self.head = nn.Linear(32, n_classes)

    def forward(self, x):
        return self.head(self.body(x))


def stripes(n, n_classes):
    """Images of stripes, whose slope is the class."""
    labels = torch.randint(n_classes, (n,))
    angles = (torch.pi * labels / n_classes)[:, None, None]
    rows, cols = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    phases = rows * angles.sin() + cols * angles.cos() + 2 * torch.pi * torch.rand(n, 1, 1)
    return phases.sin().unsqueeze(1), labels


def train(net, lr, batches):
    optimizer = torch.optim.Adam((p for p in net.parameters() if p.requires_grad), lr)
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def fine_tune(net, n_steps, batches):
    """Trains the head alone for half of the steps, then the whole network at a lower learning rate."""
    net.body.requires_grad_(False).eval()
    losses = train(net, 1e-2, itertools.islice(batches, n_steps // 2))
    net.body.requires_grad_(True).train()
    return losses + train(net, 1e-3, itertools.islice(batches, n_steps - n_steps // 2))


def main(quick):
    torch.manual_seed(0)
    n_steps = 100 if quick else 2000
    net = Net(8)
    losses = train(net, 3e-3, (stripes(32, 8) for _ in range(n_steps)))
    print(f"eight classes: loss {losses[-1]:.3f}")
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/eight_classes.safetensors"
        save_file(net.state_dict(), path)
        trained = load_file(path)

    net = Net(3)
    own = net.state_dict()
    matching = {name: value for name, value in trained.items() if value.shape == own[name].shape}
    print(net.load_state_dict(matching, strict=False))
    losses = fine_tune(net, n_steps, (stripes(32, 3) for _ in itertools.count()))
    print("loss", losses[-1])


if __name__ == "__main__":
    main("--quick" in sys.argv)
