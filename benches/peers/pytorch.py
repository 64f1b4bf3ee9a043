"""PyTorch at the same work as every other driver; the requests are described in benches/protocol/README.md.

    pytorch.py --cifar FOLDER --mode eager|channels-last|fused|compile|foreach

eager          as the lecture writes it
channels-last  images and weights in NHWC order, Adam as it comes
fused          channels-last, and the fused implementation of the optimizer
compile        torch.compile of the network with its loss; for inference with frozen weights
foreach        the optimizer's `foreach` implementation; updates only
"""

import argparse
import json
import math
import os
import sys
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

RECORD_BYTES = 3073
NETWORKS = {  # work: (convolution channels, linear features, dropout, learning rate, weight decay)
    "cnn-train": ([3, 32, 64, 128], [2048, 256, 10], 0.5, 0.005, 1e-4),
    "cnn-infer": ([3, 32, 64, 128], [2048, 256, 10], 0.5, 0.005, 1e-4),
    "cnn-epoch": ([3, 32, 64, 128], [2048, 256, 10], 0.5, 0.005, 1e-4),
    "cnn-check": ([3, 32, 64, 128], [2048, 256, 10], 0.0, 1e-4, 1e-4),
    "mlp-train": ([], [784, 512, 512, 10], 0.0, 0.001, 0.0),
    "tiny-train": ([], [16, 20, 21, 10], 0.0, 0.001, 0.0),
}
MODES = {  # mode: the families of work in which it differs from eager
    "eager": ["cnn", "mlp", "tiny", "conv", "optimizer", "tensor"],
    "channels-last": ["cnn", "conv"],
    "fused": ["cnn", "mlp", "tiny", "optimizer"],
    "compile": ["cnn", "mlp", "tiny"],
    "foreach": ["optimizer"],
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


class Train:
    def __init__(self, work, size, mode, folder):
        channels, features, dropout, lr, decay = NETWORKS[work]
        self.model = network(channels, features, dropout)
        self.channels_last = mode in ("channels-last", "fused") and bool(channels)
        if self.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        how = {"fused": True} if mode == "fused" else {}
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, weight_decay=decay, **how)
        loss_fn = nn.CrossEntropyLoss()
        self.loss = lambda inputs, labels: loss_fn(self.model(inputs), labels)
        if mode == "compile":
            self.loss = torch.compile(self.loss)
        self.batches = Batches(folder, 3072 if channels else features[0], size, self.channels_last)

    def step(self, inputs, labels):
        self.optimizer.zero_grad()
        loss = self.loss(inputs, labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

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
        channels, features, dropout, _, _ = NETWORKS[work]
        channels_last = mode in ("channels-last", "fused")
        self.model = network(channels, features, dropout).eval()
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        if mode == "compile":
            from torch._inductor import config

            config.freezing = True
            self.model = torch.compile(self.model)
        self.batches = Batches(folder, 3072, size, channels_last)

    def run(self, n_steps):
        seconds = 0.0
        with torch.inference_mode():
            for _ in range(n_steps):
                inputs, _ = self.batches.next()
                start = time.perf_counter()
                self.model(inputs)
                seconds += time.perf_counter() - start
        return {"seconds": seconds}


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
    order = torch.channels_last if mode == "channels-last" else torch.contiguous_format
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
    how = {mode: True} if mode in ("foreach", "fused") else {}
    # The shapes of the CNN where the size is its, one vector otherwise.
    model = network(*NETWORKS["cnn-train"][:2], 0.0)
    if sum(p.numel() for p in model.parameters()) == size:
        parameters = list(model.parameters())
    else:
        parameters = [nn.Parameter(uniform(0, (size,), 1.0))]
    for idx, p in enumerate(parameters):
        p.grad = uniform(idx + 100, p.shape, 1e-3)
    return Repeat(RULES[rule](parameters, **how).step)


def tensor_op(op, size):
    if op in ("add", "exp", "sum"):
        a, b = uniform(0, (size,), 1.0), uniform(1, (size,), 1.0)
        return Repeat({"add": lambda: a + b, "exp": a.exp, "sum": a.sum}[op])
    side = size if op == "matmul" else math.isqrt(size)
    a, b = uniform(0, (side, side), 1.0), uniform(1, (side, side), 1.0)
    return Repeat({"matmul": lambda: a @ b, "transpose": lambda: a.t().contiguous()}[op])


def open_work(work, size, mode, folder):
    """The work made ready, or None if this mode has nothing of its own to show there."""
    family, _, rest = work.partition(":")
    if family.split("-")[0] not in MODES[mode]:
        return None
    if family == "optimizer":
        return optimizer(rest, size, mode)
    if family == "tensor":
        return tensor_op(rest, size)
    if family.startswith("conv-"):
        return convolution(family, rest, size, mode)
    kind = {"cnn-infer": Infer, "cnn-epoch": Epoch}.get(work, Train)
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
                    torch.manual_seed(0)
                    worker = open_work(work, int(size), arguments.mode, arguments.cifar)
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
