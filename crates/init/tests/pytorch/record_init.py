"""Records moments and extremes of what torch.nn.init draws, and what it sets without drawing.

    pip install torch==2.15.0 --index-url https://download.pytorch.org/whl/cpu
    python record_init.py        # writes init.json beside itself
"""

import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import init

HERE = pathlib.Path(__file__).parent
torch.manual_seed(7)
N = 1_000_000
KERNEL, MATRIX = [100, 40, 5, 5], [500, 200]

DRAWN = {
    "uniform": ([N], lambda w: init.uniform_(w, -0.3, 1.2)),
    "normal": ([N], lambda w: init.normal_(w, 0.7, 1.9)),
    "truncated normal": ([N], lambda w: init.trunc_normal_(w)),
    "truncated normal, lopsided": ([N], lambda w: init.trunc_normal_(w, 1.0, 2.0, 0.5, 3.0)),
    "truncated normal, far tail": ([N], lambda w: init.trunc_normal_(w, 0.0, 1.0, 4.0, 6.0)),
    "truncated normal, narrow": ([N], lambda w: init.trunc_normal_(w, 0.0, 3.0, -0.1, 0.2)),
    "xavier uniform": (KERNEL, lambda w: init.xavier_uniform_(w, gain=1.5)),
    "xavier normal": (KERNEL, lambda w: init.xavier_normal_(w, gain=init.calculate_gain("tanh"))),
    "sparse": (MATRIX, lambda w: init.sparse_(w, 0.31, std=0.5)),
    "orthogonal, wide": ([30, 8, 5, 5], lambda w: init.orthogonal_(w, gain=2.0)),
    "orthogonal, tall": ([300, 20], lambda w: init.orthogonal_(w)),
    "default linear weight": (MATRIX, lambda w: w.copy_(nn.Linear(200, 500).weight)),
    "default linear bias": ([500], lambda w: w.copy_(nn.Linear(200, 500).bias)),
    "default conv weight": (KERNEL, lambda w: w.copy_(nn.Conv2d(40, 100, 5).weight)),
}
NONLINEARITIES = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
for nonlinearity in NONLINEARITIES:
    for mode in ("fan_in", "fan_out"):
        for shape_name, shape in (("uniform", KERNEL), ("normal", MATRIX)):
            kaiming = init.kaiming_uniform_ if shape_name == "uniform" else init.kaiming_normal_
            DRAWN[f"kaiming {shape_name} {nonlinearity} {mode}"] = (
                shape, lambda w, k=kaiming, m=mode, f=nonlinearity: k(w, a=0.2, mode=m, nonlinearity=f))
SET = {
    "eye": ([3, 5], lambda w: init.eye_(w)),
    "eye, tall": ([4, 2], lambda w: init.eye_(w)),
    "dirac": ([4, 3, 3, 3], lambda w: init.dirac_(w)),
    "dirac, groups": ([6, 3, 4, 2], lambda w: init.dirac_(w, 3)),
    "dirac, temporal": ([2, 4, 5], lambda w: init.dirac_(w, 2)),
    "dirac, volumetric": ([2, 2, 3, 2, 4], lambda w: init.dirac_(w)),
    "constant": ([3], lambda w: init.constant_(w, 0.3)),
}


def main():
    drawn, placed = [], []
    with torch.no_grad():
        for name, (shape, fill) in DRAWN.items():
            w = torch.empty(shape)
            fill(w)
            w = w.double()
            drawn.append({
                "name": name, "shape": shape, "mean": w.mean().item(), "std": w.std(correction=0).item(),
                "min": w.min().item(), "max": w.max().item(), "zeros": (w == 0).double().mean().item()})
        for name, (shape, fill) in SET.items():
            w = torch.full(shape, 7.0)
            fill(w)
            placed.append({"name": name, "shape": shape, "values": w.flatten().tolist()})
    gains = {f: init.calculate_gain(f, 0.2) for f in NONLINEARITIES}
    lines = lambda items: ",\n".join(json.dumps(item) for item in items)
    (HERE / "init.json").write_text(
        f'{{"torch": "{torch.__version__}", "gains": {json.dumps(gains)},\n"drawn": [\n{lines(drawn)}\n],\n'
        f'"set": [\n{lines(placed)}\n]}}\n')


main()
