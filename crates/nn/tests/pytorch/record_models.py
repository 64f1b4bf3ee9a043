"""Records the logits and the numbers of parameters of PyTorch's and torchvision's networks, for tests/models.rs.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 torchvision numpy
    venv/bin/python crates/nn/tests/pytorch/record_models.py

writes `models.json`. As in record.py, weights and images are a hash of their index.
"""

import json
from collections import OrderedDict

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, resnet18

from record import HERE, nchw, tensor


def fill(net):
    """Every entry of the state but the counts of batches; the stream is the position."""
    entries = [(name, x) for name, x in net.state_dict().items() if not name.endswith("num_batches_tracked")]
    with torch.no_grad():
        for position, (name, x) in enumerate(entries):
            u = tensor(position, *x.shape)
            if x.dim() > 1:
                x.copy_(u * (6 / x[0].numel()) ** 0.5)
            elif name.endswith("running_var") or (name.endswith("weight") and x.dim() == 1):
                x.copy_(1 + 0.25 * u)
            else:
                x.copy_(0.1 * u)


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Positions(nn.Module):
    def __init__(self, n_tokens, features):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_tokens, features))

    def forward(self, x):
        return x.flatten(2).transpose(1, 2) + self.weight


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


def lenet5(channels, padding):
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=padding), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def resnet20():
    layers = [("conv1", nn.Conv2d(3, 16, 3, padding=1, bias=False)), ("bn1", nn.BatchNorm2d(16)), ("relu", nn.ReLU())]
    width = 16
    for stage, channels in enumerate([16, 32, 64]):
        blocks = []
        for block in range(3):
            stride = 2 if stage > 0 and block == 0 else 1
            downsample = None
            if stride != 1 or width != channels:
                downsample = nn.Sequential(nn.Conv2d(width, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
            blocks.append(BasicBlock(width, channels, stride, downsample))
            width = channels
        layers.append((f"layer{stage + 1}", nn.Sequential(*blocks)))
    layers += [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(64, 10))]
    return nn.Sequential(OrderedDict(layers))


def resnet18_small():
    net = resnet18(num_classes=10)
    net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return net


class Norm(nn.BatchNorm2d):
    """A batch norm that shifts and does not scale."""

    def __init__(self, n):
        super().__init__(n, eps=1e-12, momentum=0.4)
        del self.weight
        self.register_parameter("weight", None)


def airbench94():
    def block(i, o):
        return nn.Sequential(OrderedDict(
            conv1=nn.Conv2d(i, o, 3, padding="same", bias=False), pool=nn.MaxPool2d(2), norm1=Norm(o), activ1=nn.GELU(),
            conv2=nn.Conv2d(o, o, 3, padding="same", bias=False), norm2=Norm(o), activ2=nn.GELU(),
        ))

    layers = nn.Sequential(nn.GELU(), block(24, 64), block(64, 256), block(256, 256), nn.MaxPool2d(3))
    return nn.Sequential(OrderedDict(
        whiten=nn.Conv2d(3, 24, 2), layers=layers, flatten=nn.Flatten(), head=nn.Linear(256, 10, bias=False),
        scale=Scale(1 / 256),
    ))


def depthwise():
    def normed(conv):
        return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())

    layers, width = [("stem", normed(nn.Conv2d(3, 32, 3, padding=1, bias=False)))], 32
    for idx, (outputs, stride) in enumerate([(64, 1), (128, 2), (128, 1), (256, 2), (256, 1)]):
        layers.append((f"block{idx + 1}", nn.Sequential(OrderedDict(
            depthwise=normed(nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False)),
            pointwise=normed(nn.Conv2d(width, outputs, 1, bias=False)),
        ))))
        width = outputs
    layers += [("avgpool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("head", nn.Linear(width, 10))]
    return nn.Sequential(OrderedDict(layers))


def vit():
    layer = nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 6, norm=nn.LayerNorm(128), enable_nested_tensor=False)
    return nn.Sequential(OrderedDict(
        patches=nn.Conv2d(3, 128, 4, stride=4), positions=Positions(64, 128), encoder=encoder, mean=Mean(),
        head=nn.Linear(128, 10),
    ))


NETWORKS = {
    "lenet5": (lenet5(3, 0), [32, 32, 3]),
    "lenet5, grey": (lenet5(1, 2), [28, 28, 1]),
    "mlp": (mlp(), [32, 32, 3]),
    "resnet20": (resnet20(), [32, 32, 3]),
    "resnet18": (resnet18_small(), [16, 16, 3]),
    "resnet18_imagenet": (resnet18(num_classes=1000), [64, 64, 3]),
    "airbench94": (airbench94(), [32, 32, 3]),
    "depthwise": (depthwise(), [32, 32, 3]),
    "vit": (vit(), [32, 32, 3]),
}


def main():
    recorded = {}
    for name, (net, image) in NETWORKS.items():
        fill(net)
        with torch.no_grad():
            logits = net.eval()(nchw(tensor(50, 2, *image)))
        names = [entry for entry in net.state_dict() if not entry.endswith("num_batches_tracked")]
        recorded[name] = {
            "image": image,
            "n_params": sum(p.numel() for p in net.parameters()),
            "names": names,
            "logits": logits[:, :10].flatten().tolist(),
        }
    (HERE / "models.json").write_text(json.dumps(recorded) + "\n")


main()
