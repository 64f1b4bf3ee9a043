"""The network and the recipe of airbench94_muon, which reaches 94 % on CIFAR-10 in Jordan's program: 200 steps of 2000
images.

    python airbench.py --quick

Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024.
"""

import sys

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.datasets import CIFAR10

MEAN, STD = torch.tensor((0.4914, 0.4822, 0.4465)), torch.tensor((0.2470, 0.2435, 0.2616))


def conv(in_channels, out_channels):
    conv = nn.Conv2d(in_channels, out_channels, 3, padding="same", bias=False)
    nn.init.dirac_(conv.weight.data[:in_channels])
    return conv


def norm(n_channels):
    norm = nn.BatchNorm2d(n_channels, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad = False
    return norm


class Block(nn.Module):
    """Two convolutions, the first with a pool."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv1 = conv(in_channels, out_channels)
        self.norm1 = norm(out_channels)
        self.conv2 = conv(out_channels, out_channels)
        self.norm2 = norm(out_channels)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.gelu(self.norm1(x))
        return F.gelu(self.norm2(self.conv2(x)))


class Net(nn.Module):
    """Images to logits."""

    def __init__(self, widths):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        self.block1 = Block(24, widths[0])
        self.block2 = Block(widths[0], widths[1])
        self.block3 = Block(widths[1], widths[2])
        self.head = nn.Linear(widths[2], 10, bias=False)
        self.head.weight.data /= self.head.weight.data.std()

    def forward(self, x):
        x = self.block1(F.gelu(self.whiten(x)))
        x = self.block3(self.block2(x))
        x = F.max_pool2d(x, 3).flatten(1)
        return self.head(x) / x.shape[1]


def orthogonalize(g, n_steps=3, eps=1e-7):
    """About U·Vᵀ of the singular value decomposition, by Newton and Schulz."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (g.norm() + eps)
    if g.size(0) > g.size(1):
        x = x.T
    for _ in range(n_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if g.size(0) > g.size(1) else x


class Muon(torch.optim.Optimizer):
    """For filters, which it also rescales."""

    def __init__(self, params, lr, momentum):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                buffer.mul_(group["momentum"]).add_(p.grad)
                g = p.grad.add(buffer, alpha=group["momentum"])
                p.mul_(len(p) ** 0.5 / p.norm())
                p.add_(orthogonalize(g.reshape(len(g), -1)).view_as(g), alpha=-group["lr"])


def train(net, batches, n_epochs, lr):
    bias_lr, head_lr, decay = 0.053, 0.67, 0.004
    filters = [p for p in net.parameters() if p.dim() == 4 and p.requires_grad]
    biases = [p for name, p in net.named_parameters() if "norm" in name and p.requires_grad]
    groups = [
        dict(params=[net.whiten.bias], lr=bias_lr, weight_decay=decay / bias_lr),
        dict(params=biases, lr=bias_lr, weight_decay=decay / bias_lr),
        dict(params=[net.head.weight], lr=head_lr, weight_decay=decay / head_lr),
    ]
    optimizers = [torch.optim.SGD(groups, momentum=0.85, nesterov=True), Muon(filters, lr=0.24, momentum=0.6)]
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    for group in groups:
        group["initial_lr"] = group["lr"]
    losses = []
    n_steps = n_epochs * len(batches)
    for _ in range(n_epochs):
        for x, y in batches:
            progress = len(losses) / n_steps
            for i, group in enumerate(groups):
                factor = 1 - progress if i else max(0, 1 - progress * 8 / 3)
                group["lr"] = group["initial_lr"] * lr * factor
            loss = F.cross_entropy(net(x), y, label_smoothing=0.2, reduction="sum")
            net.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
    return losses


@torch.no_grad()
def whiten(net, images, eps=5e-4):
    """The weight of the first convolution, from the first images."""
    patches = F.unfold(images, 2).transpose(1, 2).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + eps).sqrt()).T.reshape(12, 3, 2, 2)
    net.whiten.weight.copy_(torch.cat([filters, -filters]))


class Batches:
    """Each epoch in another order, mirrored in every other, and shifted."""

    def __init__(self, images, labels, batch_size):
        self.images, self.labels, self.batch_size, self.epoch = images, labels, batch_size, 0
        self.flipped = torch.rand(len(images)) < 0.5

    def __len__(self):
        return len(self.images) // self.batch_size

    def __iter__(self):
        flipped = self.flipped ^ (self.epoch % 2 == 1)
        images = torch.where(flipped[:, None, None, None], self.images.flip(-1), self.images)
        padded = F.pad(images, (2, 2, 2, 2), "reflect")
        top, left = torch.randint(5, (2, len(images), 1))
        at = torch.arange(32)
        rows, cols = (top + at)[:, None, :, None], (left + at)[:, None, None, :]
        n, channels = torch.arange(len(images))[:, None, None, None], torch.arange(3)[None, :, None, None]
        images = padded[n, channels, rows, cols]
        order = torch.randperm(len(images))
        for step in range(len(self)):
            batch = order[step * self.batch_size :][: self.batch_size]
            yield images[batch], self.labels[batch]
        self.epoch += 1


@torch.no_grad()
def accuracy(net, images, labels):
    """The share that is right by the mean of six views of each image."""
    net.eval()
    logits = []
    for x in images.split(500):
        padded = F.pad(x, (1, 1, 1, 1), "reflect")
        views = [(x, 0.5), (padded[:, :, :32, :32], 0.25), (padded[:, :, 2:, 2:], 0.25)]
        logits.append(sum(share * (net(view) + net(view.flip(-1))) for view, share in views))
    return (torch.cat(logits).argmax(1) == labels).float().mean().item()


def load(train, quick):
    if quick:
        images, labels = torch.rand(1000, 32, 32, 3), torch.randint(10, (1000,))
    else:
        cifar = CIFAR10("datasets", train)
        images, labels = torch.tensor(cifar.data) / 255, torch.tensor(cifar.targets)
    return ((images - MEAN) / STD).permute(0, 3, 1, 2), labels


def main(quick):
    torch.manual_seed(0)
    images, labels = load(True, quick)
    batch_size, n_epochs, widths = (100, 2, (16, 32, 32)) if quick else (2000, 8, (64, 256, 256))
    net = Net(widths)
    whiten(net, images[:5000])
    train(net, Batches(images, labels, batch_size), n_epochs, 1.0)
    print("score", accuracy(net, *load(False, quick)))


if __name__ == "__main__":
    main("--quick" in sys.argv)
