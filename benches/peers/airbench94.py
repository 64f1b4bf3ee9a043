"""The recipe airbench94 in PyTorch: what a whole run takes and reaches on this machine's processor.

    python airbench94.py CIFAR_FOLDER --out FILE [--mode bf16] [--threads 2] [--seed 0] [--steps N]

Network, recipe and augmentation are those of crates/nn/examples/twins/airbench.py. After each epoch the test set is
looked at, outside of the time, and a row goes to FILE: epoch, test accuracy in percent, seconds of training, and in the
last one the accuracy in the recipe's six views of each image. `descent train --recipe airbench94 --watch-test` measures
the same: one view after each epoch, six at the end. With --steps, training ends after that many, and seconds are given
for each: enough to reckon a whole run.
"""

import argparse
import csv
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2] / "crates/nn/examples/twins"))
from airbench import MEAN, STD, Batches, Net, accuracy, train, whiten  # noqa: E402

N_EPOCHS, BATCH_SIZE = 8, 2000
MODES = ("f32", "channels-last", "bf16")


def read(folder, names):
    """Normalised images, N × C × H × W, and labels of CIFAR-10's binary files."""
    records = np.concatenate([np.fromfile(Path(folder) / name, np.uint8).reshape(-1, 3073) for name in names])
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32)) / 255
    return (images - MEAN[:, None, None]) / STD[:, None, None], torch.from_numpy(records[:, 0]).long()


@torch.no_grad()
def accuracy_in_one_view(net, images, labels):
    """The share that is right by the images themselves."""
    net.eval()
    right = [net(x).argmax(1) == y for x, y in zip(images.split(500), labels.split(500), strict=True)]
    return torch.cat(right).float().mean().item()


class EndOfSteps(Exception):
    """As many steps were taken as were asked for."""


class Watched(Batches):
    """Batches that tell what became of the network: after each epoch, or how long each step took."""

    def __init__(self, images, labels, n_steps, layout, after_epoch):
        super().__init__(images, labels, BATCH_SIZE)
        self.n_steps, self.layout, self.after_epoch = n_steps, layout, after_epoch
        self.steps = []

    def __iter__(self):
        begin = time.perf_counter()
        for x, y in super().__iter__():
            start = time.perf_counter()
            yield x.contiguous(memory_format=self.layout), y
            self.steps.append(time.perf_counter() - start)
            if len(self.steps) == self.n_steps:
                raise EndOfSteps
        self.after_epoch(time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--out")
    parser.add_argument("--mode", choices=MODES, default="bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    layout = torch.contiguous_format if args.mode == "f32" else torch.channels_last
    images, labels = read(args.folder, [f"data_batch_{i}.bin" for i in range(1, 6)])
    test = read(args.folder, ["test_batch.bin"])
    net = Net((64, 256, 256))
    whiten(net, images[:5000])
    net.to(memory_format=layout)
    # Within one autocast, weights that were cast once would be used for ever, whatever the optimizer does to them.
    bf16 = torch.autocast("cpu", torch.bfloat16, cache_enabled=False)
    autocast = bf16 if args.mode == "bf16" else nullcontext()
    rows = [("epoch", "test_accuracy", "seconds", "test_accuracy_in_six_views")]

    def after_epoch(seconds):
        in_one_view = f"{100 * accuracy_in_one_view(net, *test):.2f}"
        in_six_views = f"{100 * accuracy(net, *test):.2f}" if len(rows) == N_EPOCHS else ""
        net.train()
        rows.append((len(rows), in_one_view, f"{seconds:.1f}", in_six_views))
        print(*rows[-1], flush=True)
        if args.out:
            with open(args.out, "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)

    batches = Watched(images, labels, args.steps, layout, after_epoch)
    try:
        with autocast:
            train(net, batches, N_EPOCHS, 1.0)
    except EndOfSteps:
        step = statistics.median(batches.steps)
        n_steps = N_EPOCHS * len(batches)
        rate = f"{step:.3f} s a step, {BATCH_SIZE / step:.0f} images/s"
        print(f"{args.mode}: {rate}, {step * n_steps:.0f} s in {n_steps} steps")


if __name__ == "__main__":
    main()
