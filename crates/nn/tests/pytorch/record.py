"""Records what PyTorch computes, for tests/suite/pytorch_networks.rs.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 safetensors==0.8.0 numpy
    venv/bin/python crates/nn/tests/pytorch/record.py

writes `recorded.json` and `small.safetensors` beside this file. Weights and images are not stored: they
are a hash of their index, computed here and in Rust by the same integer arithmetic.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent


def uniform(stream, n):
    """n numbers in [-1, 1): a hash of (stream, index), exact in f32."""
    x = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(stream * 0x85EBCA77 & 0xFFFFFFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float32) / np.float32(2**23) - np.float32(1)


def tensor(stream, *shape):
    return torch.from_numpy(uniform(stream, math.prod(shape)).reshape(shape).copy())


def fill(net):
    """Weights in He's uniform bounds, biases within 0.05; the stream is the position."""
    with torch.no_grad():
        for position, p in enumerate(net.parameters()):
            fan_in = math.prod(p.shape[1:])
            bound = math.sqrt(6 / fan_in) if p.dim() > 1 else 0.05
            p.copy_(tensor(position, *p.shape) * np.float32(bound))


def nchw(images):
    return images.permute(0, 3, 1, 2).contiguous()


def images(stream, n):
    """Noise, 32 × 32 × 3."""
    return nchw(tensor(stream, n, 32, 32, 3))


def labels(step, n):
    return torch.tensor([(i * 7 + step * 3) % 10 for i in range(n)])


def tiled_batch(step):
    """Eight images, eight times over, each of 8 × 8 tiles: half its class's pattern, half noise.

    Training is chaotic: a rounding that decides a near-tie of a pool or the side of a ReLU moves a gradient,
    and Adam makes a whole step of it. In 64 images of noise some tie is near in every other step, and
    PyTorch differs from itself in f64 by 1e-3 within ten steps. With few windows that differ, and this
    noise, it agrees with itself in f64, and from weights that are off by 1e-6, to 2e-6.
    """
    patterns = torch.stack([tensor(1000 + int(label), 8, 8, 3) for label in labels(step, 8)])
    tiles = tensor(300 + step, 8, 8, 8, 3) * 0.5 + patterns * 0.5
    return nchw(tiles.repeat(8, 4, 4, 1)), labels(step, 8).repeat(8)


def lecture_cnn():
    layers, channels = [], [3, 32, 64, 128]
    for i, o in zip(channels, channels[1:]):
        layers += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Dropout(0.0), nn.Linear(256, 10))


def training(net, optimizer, n_steps, batches, loss_fn):
    losses = []
    for step in range(n_steps):
        x, labels = batches(step)
        optimizer.zero_grad()
        loss = loss_fn(net(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def cnn():
    def run(lr, n_steps):
        net = lecture_cnn()
        fill(net)
        adam = torch.optim.Adam(net.parameters(), lr=lr, weight_decay=1e-4)
        return training(net, adam, n_steps, tiled_batch, F.cross_entropy)

    net = lecture_cnn()
    fill(net)
    logits = net.eval()(images(50, 8))
    return {"logits": logits.flatten().tolist(), "losses_lr_5e-3": run(5e-3, 10), "losses_lr_5e-4": run(5e-4, 20)}


def small_net():
    """Every kind of layer with parameters or statistics, and options away from their defaults."""
    return nn.Sequential(
        nn.Conv2d(3, 4, (3, 5), padding=(1, 2)),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(4, 6, 3, stride=2, dilation=2, groups=2, padding=1, bias=False),
        nn.GELU(),
        nn.AvgPool2d(2, padding=1),
        nn.Flatten(),
        nn.Linear(96, 8),
        nn.BatchNorm1d(8, eps=1e-3, momentum=0.3),
        nn.Tanh(),
        nn.Linear(8, 10, bias=False),
    )


def small():
    """Ten steps of SGD; the weights and statistics after them are the file."""
    net = small_net()
    fill(net)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    smooth = lambda logits, labels: F.cross_entropy(logits, labels, label_smoothing=0.2)
    losses = training(net, sgd, 10, lambda step: (images(200 + step, 16), labels(step, 16)), smooth)
    save_file(net.state_dict(), HERE / "small.safetensors", metadata={"steps": "10"})
    logits = net.eval()(images(50, 8))
    # A file without num_batches_tracked, as ours are, passes PyTorch's strict check.
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    small_net().load_state_dict(state, strict=True)
    return {"losses": losses, "logits": logits.flatten().tolist()}


if __name__ == "__main__":
    torch.set_num_threads(2)
    recorded = {"torch": torch.__version__.split("+")[0], "cnn": cnn(), "small": small()}
    (HERE / "recorded.json").write_text(json.dumps(recorded) + "\n")
