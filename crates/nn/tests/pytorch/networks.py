"""PyTorch's and torchvision's forms of the networks in `nn::models`, with the same parameters in the same order.

record_models.py records their logits, benches/peers/pytorch.py measures them.
"""

from collections import OrderedDict

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, resnet18


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
