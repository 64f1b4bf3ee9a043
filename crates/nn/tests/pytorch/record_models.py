"""Records the logits and the numbers of parameters of PyTorch's and torchvision's networks, for tests/suite/models.rs.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 torchvision numpy safetensors==0.8.0
    venv/bin/python crates/nn/tests/pytorch/record_models.py

writes `models.json`, and `resnet18_file.json`: what torchvision's ResNet-18 computes, and the SHA-256 of the file that it
writes, which the tests of `descent` fine-tune from. As in record.py, weights and images are a hash of their index.
"""

import hashlib
import json

import torch
from safetensors.torch import save
from torchvision.models.resnet import resnet18

from networks import airbench94, depthwise, lenet5, mlp, resnet18_small, resnet20, vit
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


def record_file():
    """torchvision's ResNet-18 as filled above, but with a head that is smaller by 32, so that the logits are about 1."""
    net, image = NETWORKS["resnet18_imagenet"]
    fill(net)
    with torch.no_grad():
        net.fc.weight /= 32
        logits = net.eval()(nchw(tensor(50, 2, *image)))
    file = save(net.state_dict())
    recorded = {
        "image": image,
        "n_bytes": len(file),
        "sha256": hashlib.sha256(file).hexdigest(),
        "logits": logits[:, :10].flatten().tolist(),
        "largest": logits.abs().max().item(),
    }
    (HERE / "resnet18_file.json").write_text(json.dumps(recorded) + "\n")


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
    record_file()


main()
