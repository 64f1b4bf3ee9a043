"""Records what PyTorch's normalisations compute, for tests/suite/pytorch_norms.rs.

    venv/bin/python crates/nn/tests/pytorch/record_norms.py

(the environment of record.py) writes `norms.json` and `norms.safetensors` beside this file. Each layer is trained for two
steps, whose loss is a weighted sum of the output, without an optimizer; recorded are the second step's output and
gradients, the statistics after it, and the output of a third batch in evaluation. A layer whose case is named
`frozen` is in evaluation mode from the second step on.
"""

import json

import torch
from record import HERE, save_file, tensor
from torch import nn

# Channels last, as ours are; the last entry of a case is the axis where PyTorch has them.
IMAGES = (2, 2, 3, 6)
TOKENS = (2, 2, 3, 6)


def without_scale():
    """PyTorch has no such layer: a weight of ones that is not trained."""
    layer = nn.BatchNorm2d(6)
    layer.weight.requires_grad_(False)
    return layer


CASES = {
    "layer_norm": (nn.LayerNorm(6), TOKENS, None),
    "layer_norm_of_two_axes": (nn.LayerNorm((3, 6), eps=1e-2), TOKENS, None),
    "layer_norm_without_bias": (nn.LayerNorm(6, bias=False), TOKENS, None),
    "layer_norm_plain": (nn.LayerNorm((2, 3, 6), elementwise_affine=False), TOKENS, None),
    "rms_norm": (nn.RMSNorm(6), TOKENS, None),
    "rms_norm_plain": (nn.RMSNorm((3, 6), eps=1e-2, elementwise_affine=False), TOKENS, None),
    "group_norm": (nn.GroupNorm(3, 6), IMAGES, 1),
    "group_norm_plain": (nn.GroupNorm(2, 6, eps=1e-2, affine=False), IMAGES, 1),
    "instance_norm": (nn.InstanceNorm2d(6), IMAGES, 1),
    "instance_norm_tracking": (nn.InstanceNorm2d(6, momentum=0.3, affine=True, track_running_stats=True), IMAGES, 1),
    "local_response_norm": (nn.LocalResponseNorm(3), IMAGES, 1),
    "local_response_norm_even": (nn.LocalResponseNorm(4, alpha=0.5, beta=0.6, k=2.0), IMAGES, 1),
    "local_response_norm_wider": (nn.LocalResponseNorm(31, alpha=2.0), IMAGES, 1),
    "batch_norm_cumulative": (nn.BatchNorm2d(6, momentum=None), IMAGES, 1),
    "batch_norm_without_bias": (nn.BatchNorm2d(6, bias=False), IMAGES, 1),
    "batch_norm_plain": (nn.BatchNorm2d(6, affine=False), IMAGES, 1),
    "batch_norm_without_statistics": (nn.BatchNorm2d(6, track_running_stats=False), IMAGES, 1),
    "batch_norm_without_scale": (without_scale(), IMAGES, 1),
    "batch_norm_frozen": (nn.BatchNorm2d(6), IMAGES, 1),
    "batch_norm_frozen_without_scale": (without_scale(), IMAGES, 1),
    "batch_norm_frozen_plain": (nn.BatchNorm2d(6, affine=False), IMAGES, 1),
}


def fill(layer):
    """Weights around 1, biases around 0; the stream is the position among those that are trained."""
    trained = [(name, p) for name, p in layer.named_parameters() if p.requires_grad]
    with torch.no_grad():
        for position, (name, p) in enumerate(trained):
            p.copy_(tensor(100 + position, *p.shape) / 2 + (1 if name.endswith("weight") else 0))


def run(layer, shape, channels, frozen):
    """Input and output as we have them: channels last."""
    to = (lambda x: x.permute(0, 3, 1, 2)) if channels == 1 else lambda x: x
    back = (lambda y: y.permute(0, 2, 3, 1)) if channels == 1 else lambda y: y
    fill(layer)
    for step in range(2):
        layer.train(not (frozen and step > 0))
        layer.zero_grad()
        x = (tensor(step, *shape) * 3 + 1).requires_grad_()
        y = back(layer(to(x)))
        (y * tensor(50, *shape)).sum().backward()
    recorded = {"y": y, "dx": x.grad}
    recorded |= {f"grad of {name}": p.grad for name, p in layer.named_parameters() if p.requires_grad}
    recorded |= {f"statistic {name}": p for name, p in layer.named_buffers()}
    layer.eval()
    recorded["evaluation"] = back(layer(to(tensor(2, *shape) * 3 + 1)))
    # Nine digits tell every f32 apart.
    numbers = lambda values: [float(f"{value:.9g}") for value in values.flatten().tolist()]
    return {"layer": repr(layer)} | {name: numbers(values) for name, values in recorded.items()}


def file():
    """Names, shapes and types of a network's file, and the count of its batches."""
    net = nn.Sequential(
        nn.BatchNorm2d(6, momentum=None),
        nn.GroupNorm(3, 6),
        nn.BatchNorm2d(6, affine=False),
        nn.LayerNorm(5),
        nn.RMSNorm(5),
        nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
    )
    for step in range(3):
        net(tensor(step, 2, 6, 4, 5))
    save_file(net.state_dict(), HERE / "norms.safetensors")
    return {name: list(values.shape) for name, values in net.state_dict().items()}


if __name__ == "__main__":
    torch.set_num_threads(2)
    recorded = {"torch": torch.__version__.split("+")[0], "file": file()}
    recorded |= {name: run(*case, frozen="frozen" in name) for name, case in CASES.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in recorded.items())
    (HERE / "norms.json").write_text("{" + lines + "}\n")
