"""Records the first losses of each of these programs (of inference the logits), for crates/nn/tests/examples.rs.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 torchvision==0.29.2 scikit-learn safetensors==0.8.0
    venv/bin/python crates/nn/examples/twins/record_losses.py [NAME ...]

writes `losses.json` beside this file, or renews what is named in it, with checksums of the text of each program and,
when all are recorded, of this one: a test fails if one was changed and not run again. Weights, batches and noise are not
stored: they are hashes of a name and an index, computed here and in Rust by the same integer arithmetic. `tabular.csv` is
scikit-learn's `make_classification(480, 6, n_informative=4, n_redundant=1, flip_y=0.03, class_sep=0.9, random_state=3)`
on other scales.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent.parent / "tests/pytorch"))
from record import nchw, tensor  # noqa: E402

N_STEPS = 20


def path_of(name):
    folders = [HERE, HERE.parents[2] / "optim/examples/twins"]
    paths = [folder / f"{name}.py" for folder in folders] + [HERE.parents[3] / "examples" / name / "twin.py"]
    return next(path for path in paths if path.exists())


def twin_named(name):
    spec = importlib.util.spec_from_file_location(name, path_of(name))
    twin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(twin)
    return twin


def stream(name):
    """FNV-1a."""
    return fnv1a(name.encode())


def fnv1a(text):
    value = 0x811C9DC5
    for byte in text:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def checksum(path):
    """Of a program's text, whatever ends its lines."""
    return fnv1a(path.read_bytes().replace(b"\r", b""))


def noise(name, *shape):
    return tensor(stream(name), *shape)


# Small networks and learning rates where batch normalisation and ReLU would make two computations in float32 part ways
# within 20 steps: PyTorch's own in float32 and in float64 agree to 1e-5 in what is recorded here. What a program does to
# its gradients shows in the losses even so: without the clipping of gru and transformer, or without the weight decay of
# tabular, resnet18, transformer and airbench, they differ by more than 1e-4.


def fill(net):
    """Matrices and filters within 1/√fan_in, scales around 1 and biases around 0 within 0.1."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            values = noise(name, *p.shape)
            if p.dim() > 1:
                p.copy_(values / np.float32(p[0].numel() ** 0.5))
            else:
                p.copy_(values * np.float32(0.1) + np.float32(0.0 if name.endswith("bias") or "bias_" in name else 1.0))
    return net


def labels(name, n_classes, *shape):
    """Numbers below n_classes."""
    return ((noise(name, *shape) + 1) / 2 * n_classes).long()


def images(n_batches):
    """Batches of 16 images of ten classes."""
    x = lambda i: torch.floor((noise(f"x{i}", 16, 3, 32, 32) + 1) * 128) / 255
    return [(x(i), labels(f"y{i}", 10, 16)) for i in range(n_batches)]


def gru(twin):
    batches = ((noise(f"x{i}", 8, twin.LENGTH, 2), noise(f"y{i}", 8, 1)) for i in range(N_STEPS))
    return twin.train(fill(twin.Adder(16)), batches)


def tabular(twin):
    batches = [(noise(f"x{i}", 16, 6), labels(f"y{i}", 2, 16)) for i in range(N_STEPS)]
    return twin.train(fill(twin.network()), batches, 1)


def vae(twin):
    x = lambda i: (noise(f"x{i}", 8, twin.SIZE**2) + 1) / 2
    return twin.train(fill(twin.Vae(32, 4)), ((x(i), noise(f"noise{i}", 8, 4)) for i in range(N_STEPS)))


def gan(twin):
    x = lambda i: nchw((noise(f"x{i}", 8, twin.SIZE, twin.SIZE, 1) + 1) / 2)
    return twin.train(fill(twin.Gan(4)), ((x(i), noise(f"noise{i}", 8, 16)) for i in range(N_STEPS)))


def resnet18(twin):
    assert twin.ResNet18(64, 10).state_dict().keys() == torchvision.models.resnet18(num_classes=10).state_dict().keys()
    return twin.train(fill(twin.ResNet18(4, 10)), images(N_STEPS), 1, 0.0001, 0.5)


def transformer(twin):
    windows = (labels(f"w{i}", 11, 4, twin.CONTEXT + 1) for i in range(N_STEPS))
    model = fill(twin.CharacterModel(11, 16, 2))
    model.head.weight.data *= 16  # so that most gradients are clipped
    return twin.train(model, windows)


def fine_tune(twin):
    x = lambda i: nchw(noise(f"x{i}", 8, twin.SIZE, twin.SIZE, 1))
    return twin.fine_tune(fill(twin.Net(3)), N_STEPS, ((x(i), labels(f"y{i}", 3, 8)) for i in range(N_STEPS)))


def cross_validation(twin):
    batches = [(noise(f"x{i}", 16, 6), labels(f"y{i}", 2, 16)) for i in range(N_STEPS)]
    return twin.train(fill(twin.network()), batches, 1, 0.05)


def own_rule(twin):
    return twin.train([-1.2, 1.0], N_STEPS)


def airbench(twin):
    net = fill(twin.Net([6, 8, 8]))
    for name, p in net.named_parameters():
        if "norm" in name and name.endswith("weight"):
            p.data.fill_(1.0)
    return twin.train(net, images(N_STEPS), 1, 0.05)


def own_op(twin):
    return twin.train(N_STEPS)


def inference(twin):
    return twin.logits(20).flatten().tolist()


PROGRAMS = [gru, tabular, vae, gan, resnet18, transformer, fine_tune, cross_validation, airbench, own_rule, own_op]
PROGRAMS += [inference]


if __name__ == "__main__":
    torch.set_num_threads(1)
    path = HERE / "losses.json"
    losses = json.loads(path.read_text()) if path.exists() else {}
    checksums = losses.setdefault("checksums", {})
    for program in PROGRAMS:
        if program.__name__ in (sys.argv[1:] or [program.__name__ for program in PROGRAMS]):
            losses[program.__name__] = program(twin_named(program.__name__))
            checksums[program.__name__] = checksum(path_of(program.__name__))
    if not sys.argv[1:]:
        checksums["record_losses"] = checksum(Path(__file__))
    path.write_text(json.dumps(losses, indent=1) + "\n")
