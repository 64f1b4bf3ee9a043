"""Records what PyTorch computes with the layers of images and sequences, for tests/suite/pytorch_spatial.rs.

    venv/bin/python crates/nn/tests/pytorch/record_spatial.py

writes `spatial.json` and `spatial.safetensors`, the weights of some cases, beside this file. Inputs, weights and the
gradient of the output are hashes of their indices, made as in `record.py`; images go in and out as N x H x W x C,
sequences as N x T x C.
"""

import json

import torch
from safetensors.torch import save_file
from torch import nn

from record import HERE, fill, tensor


class Branches(nn.ModuleList):
    """All branches on one input, joined."""

    def __init__(self, join, *branches):
        super().__init__(branches)
        self.join = join

    def forward(self, x):
        return self.join([branch(x) for branch in self])


class Residual(nn.Module):
    """A body, and what it is added to."""

    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def channels_first(x):
    return x.movedim(-1, 1) if x.dim() > 2 else x


def channels_last(x):
    return x.movedim(1, -1) if x.dim() > 2 else x


def branches(join):
    pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(3, 2, 1))
    return Branches(join, nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 3, padding=1), pooled)


# name: shape of the input, layer
CASES = {
    "conv_transpose2d": ((2, 3, 2, 3), nn.ConvTranspose2d(3, 2, 3)),
    "conv_transpose2d_general": (
        (1, 3, 2, 4),
        nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), groups=2, bias=False, dilation=(2, 1)),
    ),
    "conv_transpose2d_depthwise": (
        (1, 4, 3, 18),
        nn.ConvTranspose2d(18, 18, 3, stride=2, padding=1, output_padding=1, groups=18),
    ),
    "conv_transpose2d_beyond": (
        (2, 2, 3, 4),
        nn.ConvTranspose2d(4, 6, (3, 2), (1, 2), (1, 0), (2, 3), groups=2, dilation=(3, 4)),
    ),
    "conv1d": ((2, 7, 3), nn.Conv1d(3, 4, 3, padding=1)),
    "conv1d_general": ((2, 9, 4), nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False)),
    "conv1d_same": ((2, 7, 3), nn.Conv1d(3, 4, 4, padding="same", dilation=3)),
    "conv1d_same_reflect": ((2, 7, 3), nn.Conv1d(3, 4, 4, padding="same", padding_mode="reflect")),
    "conv1d_reflect": ((2, 7, 3), nn.Conv1d(3, 4, 3, stride=2, padding=2, padding_mode="reflect")),
    "conv1d_replicate": ((2, 7, 3), nn.Conv1d(3, 4, 3, padding=2, padding_mode="replicate")),
    "conv1d_circular": ((2, 7, 3), nn.Conv1d(3, 4, 3, padding=2, padding_mode="circular")),
    "conv_transpose1d": ((2, 5, 4), nn.ConvTranspose1d(4, 6, 3, 3, 1, 2, groups=2)),
    "conv_transpose1d_beyond": ((2, 5, 3), nn.ConvTranspose1d(3, 2, 3, 2, 2, 4, dilation=5)),
    "conv2d_depthwise": ((1, 5, 4, 17), nn.Conv2d(17, 17, 3, padding=1, groups=17)),
    "conv2d_depthwise_stride": ((2, 6, 5, 3), nn.Conv2d(3, 3, 3, stride=2, padding=1, groups=3)),
    "conv2d_same": ((1, 5, 6, 2), nn.Conv2d(2, 3, (4, 3), padding="same", dilation=(1, 2))),
    "conv2d_same_reflect": ((1, 5, 6, 2), nn.Conv2d(2, 3, (4, 3), padding="same", padding_mode="reflect")),
    "conv2d_reflect": ((1, 4, 5, 2), nn.Conv2d(2, 3, 3, stride=2, padding=(1, 2), padding_mode="reflect")),
    "conv2d_replicate": ((1, 4, 5, 2), nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="replicate")),
    "conv2d_circular": ((1, 4, 5, 2), nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="circular")),
    "max_pool1d": ((2, 9, 3), nn.MaxPool1d(3, stride=2, padding=1, dilation=2, ceil_mode=True)),
    "avg_pool1d": ((2, 8, 3), nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)),
    "max_pool2d_dilated": ((1, 8, 7, 2), nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 1), dilation=(2, 3))),
    "max_pool2d_ceil": ((1, 6, 5, 2), nn.MaxPool2d(3, stride=2, ceil_mode=True)),
    "max_pool2d_ceil_padded": ((1, 6, 5, 2), nn.MaxPool2d(2, stride=3, padding=1, ceil_mode=True)),
    "max_pool2d_larger_than_the_image": ((1, 2, 1, 2), nn.MaxPool2d(3, stride=3, ceil_mode=True)),
    "avg_pool2d_ceil": ((1, 6, 7, 2), nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True)),
    "avg_pool2d_ceil_inside": (
        (1, 6, 7, 2),
        nn.AvgPool2d((3, 2), stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    ),
    "adaptive_avg_pool2d": ((2, 7, 5, 2), nn.AdaptiveAvgPool2d((3, 4))),
    "adaptive_avg_pool2d_larger": ((1, 2, 3, 2), nn.AdaptiveAvgPool2d((5, 2))),
    "adaptive_max_pool2d": ((2, 7, 5, 2), nn.AdaptiveMaxPool2d((3, 4))),
    "adaptive_avg_pool1d": ((2, 7, 3), nn.AdaptiveAvgPool1d(4)),
    "adaptive_avg_pool1d_larger": ((2, 3, 2), nn.AdaptiveAvgPool1d(5)),
    "adaptive_max_pool1d": ((2, 7, 3), nn.AdaptiveMaxPool1d(3)),
    "upsample_nearest": ((1, 2, 3, 2), nn.Upsample(scale_factor=2)),
    "upsample_nearest_factor": ((1, 4, 3, 2), nn.Upsample(scale_factor=1.7)),
    "upsample_nearest_size": ((1, 5, 7, 2), nn.Upsample((8, 3))),
    "upsample_bilinear": ((1, 3, 4, 2), nn.Upsample(scale_factor=2, mode="bilinear")),
    "upsample_bilinear_factor": ((1, 4, 3, 2), nn.Upsample(scale_factor=1.7, mode="bilinear")),
    "upsample_bilinear_size": ((1, 5, 7, 2), nn.Upsample((8, 3), mode="bilinear")),
    "upsample_bilinear_corners": ((1, 3, 4, 2), nn.Upsample((5, 1), mode="bilinear", align_corners=True)),
    "pixel_shuffle": ((1, 2, 3, 18), nn.PixelShuffle(3)),
    "pixel_unshuffle": ((1, 4, 6, 3), nn.PixelUnshuffle(2)),
    "unflatten": ((2, 12), nn.Unflatten(1, (2, 2, 3))),
    "zero_pad2d": ((1, 2, 3, 2), nn.ZeroPad2d((1, 2, 0, 3))),
    "constant_pad2d": ((1, 2, 3, 2), nn.ConstantPad2d(1, 0.5)),
    "constant_pad1d": ((2, 3, 2), nn.ConstantPad1d((2, 1), -1.5)),
    "zero_pad1d": ((2, 3, 2), nn.ZeroPad1d((2, 1))),
    "reflection_pad1d": ((2, 4, 2), nn.ReflectionPad1d((3, 1))),
    "replication_pad1d": ((2, 3, 2), nn.ReplicationPad1d((4, 1))),
    "circular_pad1d": ((2, 4, 2), nn.CircularPad1d((3, 1))),
    "reflection_pad2d": ((1, 3, 4, 2), nn.ReflectionPad2d((3, 1, 2, 0))),
    "replication_pad2d": ((1, 3, 2, 2), nn.ReplicationPad2d((3, 1, 2, 0))),
    "circular_pad2d": ((1, 3, 4, 2), nn.CircularPad2d((3, 1, 2, 0))),
    "prelu": ((2, 3, 4), nn.PReLU(4)),
    "residual": ((1, 4, 5, 3), Residual(nn.Conv2d(3, 3, 3, padding=1))),
    "residual_shortcut": ((1, 4, 5, 3), Residual(nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(3, 2, 1))),
    # What is drawn is not PyTorch's; where nothing is drawn, the numbers are.
    "dropout_of_nothing": ((2, 3, 4), nn.Dropout(0.0)),
    "dropout_of_all": ((2, 3, 4), nn.Dropout(1.0)),
    "dropout_evaluation": ((2, 3, 4), nn.Dropout(0.5).eval()),
    "dropout2d_of_nothing": ((2, 2, 3, 4), nn.Dropout2d(0.0)),
    "dropout2d_of_all": ((2, 2, 3, 4), nn.Dropout2d(1.0)),
    "dropout2d_evaluation": ((2, 2, 3, 4), nn.Dropout2d(0.5).eval()),
    "parallel_sum": ((1, 4, 5, 3), branches(sum)),
    "parallel_concat": ((1, 4, 5, 3), branches(lambda ys: torch.cat(ys, 1))),
}

# Those whose weights are stored, each under its name.
STORED = [
    "conv1d",
    "conv1d_general",
    "conv2d_same",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose2d_general",
    "prelu",
]


def record(shape, layer):
    fill(layer)
    x = tensor(50, *shape).requires_grad_()
    y = channels_last(layer(channels_first(x)))
    y.backward(tensor(60, *y.shape))
    digits = lambda values: [float(f"{v:.7g}") for v in values.flatten().tolist()]
    grads = [digits(p.grad) for p in layer.parameters()]
    return {"shape": list(y.shape), "y": digits(y.detach()), "dx": digits(x.grad), "grads": grads}


if __name__ == "__main__":
    cases = {name: record(*case) for name, case in CASES.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    (HERE / "spatial.json").write_text("{\n" + lines + "\n}\n")
    stored = nn.ModuleDict({name: CASES[name][1] for name in STORED})
    save_file(stored.state_dict(), HERE / "spatial.safetensors")
