"""PyTorch at the same work as every other driver; the requests are described in benches/protocol/README.md.

    pytorch.py --cifar FOLDER --mode eager|channels-last|fused|compile|bf16|bf16-compile|foreach

eager          as the lecture writes it
channels-last  images and weights in NHWC order, the optimizer as it comes
fused          channels-last, and the fused implementation of the optimizer
compile        fused, and torch.compile of the network with its loss; for inference with frozen weights
bf16           fused, forward and loss under torch.autocast in bfloat16
bf16-compile   the two together
foreach        the optimizer's `foreach` implementation; updates only
"""

import argparse
import json
import math
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

NN = Path(__file__).parents[2] / "crates/nn"
sys.path += [str(NN / "tests/pytorch"), str(NN / "examples/twins")]
from airbench import Muon  # noqa: E402
from networks import airbench94, depthwise, resnet18_small  # noqa: E402
from transformer import CONTEXT, CharacterModel  # noqa: E402

RECORD_BYTES = 3073
NETWORKS = {  # work: (convolution channels, linear features, dropout, learning rate, weight decay)
    "cnn-train": ([3, 32, 64, 128], [2048, 256, 10], 0.5, 0.005, 1e-4),
    "cnn-infer": ([3, 32, 64, 128], [2048, 256, 10], 0.5, 0.005, 1e-4),
    "cnn-epoch": ([3, 32, 64, 128], [2048, 256, 10], 0.5, 0.005, 1e-4),
    "cnn-check": ([3, 32, 64, 128], [2048, 256, 10], 0.0, 1e-4, 1e-4),
    "mlp-train": ([], [784, 512, 512, 10], 0.0, 0.001, 0.0),
    "tiny-train": ([], [16, 20, 21, 10], 0.0, 0.001, 0.0),
}
MODELS = {
    "airbench94": airbench94,
    "resnet18": resnet18_small,
    "depthwise": depthwise,
    "transformer": lambda: CharacterModel(256, 128, 4),
}
IMAGES = ["cnn", "airbench94", "resnet18", "depthwise"]
OTHERS = ["mlp", "tiny", "transformer"]


@dataclass(frozen=True)
class Mode:
    """How PyTorch works, and the families of work in which that differs from eager."""

    families: tuple
    channels_last: bool = False
    optimizer: str = ""
    compiled: bool = False
    bf16: bool = False

    def how(self):
        """The arguments of an optimizer."""
        return {self.optimizer: True} if self.optimizer else {}

    def autocast(self):
        return torch.autocast("cpu", torch.bfloat16) if self.bf16 else nullcontext()


MODES = {
    "eager": Mode((*IMAGES, *OTHERS, "conv", "optimizer", "tensor")),
    "channels-last": Mode((*IMAGES, "conv"), channels_last=True),
    "fused": Mode((*IMAGES, *OTHERS, "optimizer"), channels_last=True, optimizer="fused"),
    "compile": Mode((*IMAGES, *OTHERS), channels_last=True, optimizer="fused", compiled=True),
    "bf16": Mode((*IMAGES, *OTHERS), channels_last=True, optimizer="fused", bf16=True),
    "bf16-compile": Mode((*IMAGES, *OTHERS), channels_last=True, optimizer="fused", compiled=True, bf16=True),
    "foreach": Mode(("optimizer",), optimizer="foreach"),
}
RULES = {
    "sgd": lambda p, **how: torch.optim.SGD(p, lr=0.01, momentum=0.9, **how),
    "adam": lambda p, **how: torch.optim.Adam(p, lr=0.001, **how),
    "adamw": lambda p, **how: torch.optim.AdamW(p, lr=0.001, **how),
}


# ---- What makes the work the same ----------------------------------------------------------------------


def uniform(seed, shape, bound):
    """The numbers of `bench_protocol::uniform`: SplitMix64 of the index, 24 bits, U(-bound, bound).

    In PyTorch's own memory: NumPy asks for huge pages for large arrays, which PyTorch's allocator does not.
    """
    with np.errstate(over="ignore"):
        counter = np.arange(math.prod(shape), dtype=np.uint64) + np.uint64((seed << 40) + 1)
        z = counter * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(40)).astype(np.float64) / 2**24
    return torch.from_numpy(((2 * unit - 1) * bound).astype(np.float32).reshape(shape)).clone()


def network(channels, features, dropout):
    """The network with the weights that every driver starts with."""
    layers = []
    for a, b in zip(channels, channels[1:]):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten()] if channels else []
    for a, b in zip(features, features[1:-1]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    layers += [nn.Dropout(dropout)] if dropout else []
    model = nn.Sequential(*layers, nn.Linear(features[-2], features[-1]))
    weighted = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        for idx, layer in enumerate(weighted):
            layer.weight.copy_(uniform(idx, layer.weight.shape, math.sqrt(6 / layer.weight[0].numel())))
            layer.bias.zero_()
    return model


def model_named(name):
    """One of the larger networks; its state is what `bench_protocol::initial_entry` says."""
    model = MODELS[name]()
    entries = [(name, x) for name, x in model.state_dict().items() if not name.endswith("num_batches_tracked")]
    with torch.no_grad():
        for idx, (name, x) in enumerate(entries):
            if x.dim() > 1:
                x.copy_(uniform(idx, x.shape, math.sqrt(6 / x[0].numel())))
            else:
                x.fill_(1.0 if name.endswith(("weight", "running_var")) else 0.0)
    return model


class Batches:
    """Batches in the order of data_batch_1.bin, round and round."""

    def __init__(self, folder, n_inputs, size, channels_last):
        self.records = np.memmap(os.path.join(folder, "data_batch_1.bin"), np.uint8).reshape(-1, RECORD_BYTES)
        self.n_inputs, self.size, self.channels_last, self.at = n_inputs, size, channels_last, 0

    def next(self):
        if self.at + self.size > len(self.records):
            self.at = 0
        records = self.records[self.at : self.at + self.size]
        self.at += self.size
        if self.n_inputs == CONTEXT + 1:  # a window of text, and for each token the next
            windows = torch.from_numpy(records[:, 1 : 2 + CONTEXT].astype(np.int64))
            return windows[:, :-1].contiguous(), windows[:, 1:].flatten()
        inputs = torch.from_numpy(records[:, 1 : 1 + self.n_inputs].astype(np.float32)) / 255
        labels = torch.from_numpy(records[:, 0].astype(np.int64))
        if self.n_inputs == 3072:
            inputs = inputs.view(-1, 3, 32, 32)
            inputs = inputs.contiguous(memory_format=torch.channels_last) if self.channels_last else inputs
        return inputs, labels


class Pictures(Dataset):
    """What `torchvision.datasets.CIFAR10(train=True, transform=ToTensor())` is, from the binary files."""

    def __init__(self, folder):
        names = [os.path.join(folder, f"data_batch_{n}.bin") for n in range(1, 6)]
        records = np.concatenate([np.fromfile(name, np.uint8).reshape(-1, RECORD_BYTES) for name in names])
        self.labels = records[:, 0].astype(int).tolist()
        self.images = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.transform = transforms.ToTensor()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        return self.transform(Image.fromarray(self.images[idx])), self.labels[idx]


# ---- The work ------------------------------------------------------------------------------------------


def prepared(work, mode):
    """The network, how many bytes of an image it reads, and whether they are in NHWC order."""
    name = work.rpartition("-")[0]
    if name in MODELS:
        model, n_inputs = model_named(name), CONTEXT + 1 if name == "transformer" else 3072
    else:
        channels, features, dropout, _, _ = NETWORKS[work]
        model, n_inputs = network(channels, features, dropout), 3072 if channels else features[0]
    channels_last = mode.channels_last and n_inputs == 3072
    return model.to(memory_format=torch.channels_last) if channels_last else model, n_inputs, channels_last


def optimizers(work, model, mode):
    """What updates the network: the rules that `bench_protocol::{Network, Model}` name."""
    name, how = work.rpartition("-")[0], mode.how()
    if name == "airbench94":
        model.whiten.weight.requires_grad = False
        trained = [p for p in model.parameters() if p.requires_grad]
        filters = [p for p in trained if p.dim() == 4]
        rest = [p for p in trained if p.dim() != 4]
        sgd = torch.optim.SGD(rest, lr=1e-4, momentum=0.85, weight_decay=0.004, nesterov=True, **how)
        return [sgd, Muon(filters, lr=0.01, momentum=0.6)]
    if name in ("resnet18", "depthwise"):
        return [torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, nesterov=True, **how)]
    if name == "transformer":
        return [torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, **how)]
    *_, lr, decay = NETWORKS[work]
    return [torch.optim.Adam(model.parameters(), lr=lr, weight_decay=decay, **how)]


class Train:
    def __init__(self, work, size, mode, folder):
        self.mode = mode
        self.model, n_inputs, self.channels_last = prepared(work, mode)
        self.optimizers = optimizers(work, self.model, mode)
        self.batches = Batches(folder, n_inputs, size, self.channels_last)
        self.max_norm = 1.0 if work.startswith("transformer") else None
        options, self.n_summed = {}, 1
        if work.startswith("airbench94"):
            options, self.n_summed = {"label_smoothing": 0.2, "reduction": "sum"}, size
        loss_fn = nn.CrossEntropyLoss(**options)
        self.loss = lambda inputs, labels: loss_fn(self.model(inputs).flatten(0, -2), labels)
        if mode.compiled:
            self.loss = torch.compile(self.loss, dynamic=False)

    def step(self, inputs, labels):
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        with self.mode.autocast():
            loss = self.loss(inputs, labels)
        loss.backward()
        if self.max_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.item() / self.n_summed

    def run(self, n_steps):
        seconds, loss = 0.0, None
        for _ in range(n_steps):
            inputs, labels = self.batches.next()
            start = time.perf_counter()
            loss = self.step(inputs, labels)
            seconds += time.perf_counter() - start
        return {"seconds": seconds, "loss": loss}


class Epoch(Train):
    def __init__(self, work, size, mode, folder):
        super().__init__(work, size, mode, folder)
        self.loader = DataLoader(Pictures(folder), batch_size=size, shuffle=True)

    def run(self, n_steps):
        total, items = 0.0, 0
        start = time.perf_counter()
        for step_idx, (inputs, labels) in enumerate(self.loader):
            if step_idx == n_steps:
                break
            if self.channels_last:
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            total += self.step(inputs, labels)
            items += len(labels)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "items": items, "loss": total / min(n_steps, len(self.loader))}


class Infer:
    def __init__(self, work, size, mode, folder):
        self.mode = mode
        model, n_inputs, channels_last = prepared(work, mode)
        self.model = model.eval()
        if mode.compiled:
            from torch._inductor import config

            config.freezing = True
            self.model = torch.compile(self.model, dynamic=False)
        self.batches = Batches(folder, n_inputs, size, channels_last)

    def run(self, n_steps):
        seconds = 0.0
        with torch.inference_mode():
            for _ in range(n_steps):
                inputs, labels = self.batches.next()
                start = time.perf_counter()
                with self.mode.autocast():
                    logits = self.model(inputs)
                seconds += time.perf_counter() - start
            loss = nn.functional.cross_entropy(logits.float().flatten(0, -2), labels).item()
        return {"seconds": seconds, "loss": loss}


class Repeat:
    """An operation without data of its own, over and over."""

    def __init__(self, operation):
        self.operation = operation

    def run(self, n_steps):
        with torch.no_grad():
            start = time.perf_counter()
            for _ in range(n_steps):
                self.operation()
            return {"seconds": time.perf_counter() - start}


def convolution(one_pass, shape, size, mode):
    side, c_in, c_out = map(int, shape.split("x"))
    order = torch.channels_last if mode.channels_last else torch.contiguous_format
    x = uniform(0, (size, c_in, side, side), 1.0).contiguous(memory_format=order)
    dy = uniform(1, (size, c_out, side, side), 1.0).contiguous(memory_format=order)
    w = uniform(2, (c_out, c_in, 3, 3), 1.0).contiguous(memory_format=order)
    if one_pass == "conv-forward":
        return Repeat(lambda: torch.conv2d(x, w, padding=1))
    wanted = [one_pass == "conv-input-gradient", one_pass == "conv-weight-gradient", False]
    ones, zeros = [1, 1], [0, 0]
    backward = torch.ops.aten.convolution_backward
    return Repeat(lambda: backward(dy, x, w, None, ones, ones, ones, False, zeros, 1, wanted))


def optimizer(rule, size, mode):
    # The shapes of the CNN where the size is its, one vector otherwise.
    model = network(*NETWORKS["cnn-train"][:2], 0.0)
    if sum(p.numel() for p in model.parameters()) == size:
        parameters = list(model.parameters())
    else:
        parameters = [nn.Parameter(uniform(0, (size,), 1.0))]
    for idx, p in enumerate(parameters):
        p.grad = uniform(idx + 100, p.shape, 1e-3)
    return Repeat(RULES[rule](parameters, **mode.how()).step)


def tensor_op(op, size):
    if op in ("add", "exp", "sum"):
        a, b = uniform(0, (size,), 1.0), uniform(1, (size,), 1.0)
        return Repeat({"add": lambda: a + b, "exp": a.exp, "sum": a.sum}[op])
    side = size if op == "matmul" else math.isqrt(size)
    a, b = uniform(0, (side, side), 1.0), uniform(1, (side, side), 1.0)
    return Repeat({"matmul": lambda: a @ b, "transpose": lambda: a.t().contiguous()}[op])


def open_work(work, size, mode, folder):
    """The work made ready, or None if this mode has nothing of its own to show there."""
    torch.manual_seed(0)
    torch._dynamo.reset()  # or the second size of a network would be compiled for all sizes
    family, _, rest = work.partition(":")
    if family.split("-")[0] not in mode.families:
        return None
    if family == "optimizer":
        return optimizer(rest, size, mode)
    if family == "tensor":
        return tensor_op(rest, size)
    if family.startswith("conv-"):
        return convolution(family, rest, size, mode)
    kind = {"infer": Infer, "epoch": Epoch}.get(work.rpartition("-")[2], Train)
    return kind(work, size, mode, folder)


# ---- The conversation ----------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--mode", required=True, choices=MODES)
    arguments = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count()))
    torch.set_num_threads(threads)
    worker = None
    for line in sys.stdin:
        try:
            match line.split():
                case ["hello"]:
                    version = torch.__version__.split("+")[0]
                    peer = "pytorch-" + arguments.mode
                    answer = {"peer": peer, "version": version, "threads": torch.get_num_threads()}
                case ["open", work, size]:
                    worker = None
                    worker = open_work(work, int(size), MODES[arguments.mode], arguments.cifar)
                    answer = {"opened": worker is not None}
                case ["run", n_steps]:
                    answer = worker.run(int(n_steps))
                case _:
                    raise ValueError(f"not a request: {line!r}")
        except Exception as error:  # The driver lives on; whoever asked decides.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
