"""Records what PyTorch's update rules make of one sequence of gradients.

    pip install torch==2.15.0 --index-url https://download.pytorch.org/whl/cpu
    python record_rules.py        # writes rules.json and rules.bin beside itself

rules.json lists the cases; rules.bin holds, one after the other and little-endian: the start (8 f64), the
gradients (200 × 8 f64), then for each case its 8 values after each checkpoint, in f64 and then in f32.
"""

import itertools
import json
import math
import pathlib

import numpy as np
import torch

N, STEPS, CHECKPOINTS = 8, 200, [1, 2, 3, 10, 60, 200]
HERE = pathlib.Path(__file__).parent


def problem(w):
    """Not convex: a rippled bowl whose coordinates pull at one another."""
    ripples = (w * torch.cos(0.45 * math.pi * w)).sum() + 0.1 * (w**2).sum()
    coupling = torch.sin(w[:-1] * w[1:]).sum() + 0.3 * ((w[1:] - w[:-1] ** 2) ** 2).mean()
    return ripples + coupling


def gradients():
    """Along a noisy descent, with a few exact zeros."""
    generator = torch.Generator().manual_seed(1)
    w = torch.linspace(-1.7, 2.1, N, dtype=torch.float64).requires_grad_()
    start, grads = w.detach().clone(), []
    for step in range(STEPS):
        (g,) = torch.autograd.grad(problem(w), w)
        g = g + 0.3 * torch.randn(N, dtype=torch.float64, generator=generator)
        if step % 20 == 7:
            g[step % N] = 0.0
        grads.append(g)
        w = (w - 0.02 * g).detach().requires_grad_()
    return start, torch.stack(grads)


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.01}, {
        "momentum": 0.9, "dampening": 0.3, "nesterov": True, "weight_decay": 0.05, "maximize": True}),
    "asgd": (torch.optim.ASGD, {"lr": 0.01}, {
        "lambd": 0.02, "alpha": 0.6, "t0": 40.0, "weight_decay": 0.05, "maximize": True}),
    "rprop": (torch.optim.Rprop, {}, {"etas": [0.4, 1.3], "step_sizes": [1e-3, 0.05], "maximize": True}),
    "adagrad": (torch.optim.Adagrad, {}, {
        "lr_decay": 0.01, "weight_decay": 0.05, "initial_accumulator_value": 0.2, "eps": 1e-3,
        "maximize": True}),
    "adadelta": (torch.optim.Adadelta, {}, {"rho": 0.8, "eps": 1e-4, "weight_decay": 0.05, "maximize": True}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.005}, {
        "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.05, "momentum": 0.8, "centered": True, "maximize": True}),
    "adam": (torch.optim.Adam, {"lr": 0.01}, {
        "betas": [0.3, 0.95], "eps": 1e-3, "weight_decay": 0.05, "amsgrad": True, "maximize": True,
        "decoupled_weight_decay": True}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01}, {
        "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.2, "amsgrad": True, "maximize": True}),
    "adamax": (torch.optim.Adamax, {}, {
        "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.05, "maximize": True}),
    "nadam": (torch.optim.NAdam, {}, {
        "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.05, "momentum_decay": 0.05, "maximize": True,
        "decoupled_weight_decay": True}),
    "radam": (torch.optim.RAdam, {"lr": 0.01}, {
        "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.05, "maximize": True,
        "decoupled_weight_decay": True}),
    "adafactor": (torch.optim.Adafactor, {}, {
        "lr": 0.5, "beta2_decay": -0.5, "eps": [1e-3, 2.0], "d": 2.0, "weight_decay": 0.05, "maximize": True}),
    "muon": (torch.optim.Muon, {}, {
        "momentum": 0.8, "nesterov": False, "weight_decay": 0.5, "ns_steps": 3, "eps": 3.0,
        "ns_coefficients": [2.0, -1.5, 0.5], "adjust_lr_fn": "match_rms_adamw"}),
}
SHAPES = {"adafactor": [[2, 4], [8], [2, 2, 2]], "muon": [[2, 4], [4, 2]]}


def cases():
    """Each rule with its defaults, with each option, and with each pair of options."""
    for rule, (optimizer, base, options) in OPTIMIZERS.items():
        for n_options in (0, 1, 2):
            for names in itertools.combinations(options, n_options):
                chosen = base | {name: options[name] for name in names}
                if chosen.get("nesterov") and rule == "sgd":
                    if "dampening" in chosen:
                        continue  # PyTorch refuses it
                    chosen["momentum"] = options["momentum"]
                for shape in SHAPES.get(rule, [[N]]):
                    yield rule, optimizer, chosen, shape
    for adjust in ("original", "spectral_unclamped"):
        for shape in SHAPES["muon"]:
            yield "muon", torch.optim.Muon, {"adjust_lr_fn": adjust}, shape


def replay(optimizer, options, shape, start, grads, dtype):
    """The parameters after each checkpoint."""
    torch.set_default_dtype(dtype)  # PyTorch keeps some scalars of its state in the default type
    w = start.to(dtype).reshape(shape).clone().requires_grad_()
    optimizer = optimizer([w], **{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
    seen = []
    for step, g in enumerate(grads, start=1):
        w.grad = g.to(dtype).reshape(shape).clone()
        optimizer.step()
        if step in CHECKPOINTS:
            seen.append(w.detach().flatten().clone())
    return torch.stack(seen)


def main():
    start, grads = gradients()
    index, blob = [], [start.numpy().astype("<f8"), grads.numpy().astype("<f8")]
    for rule, optimizer, options, shape in cases():
        index.append({"rule": rule, "options": options, "shape": shape})
        for dtype, code in ((torch.float64, "<f8"), (torch.float32, "<f4")):
            seen = replay(optimizer, options, shape, start, grads, dtype)
            assert torch.isfinite(seen).all(), (rule, options)
            blob.append(seen.numpy().astype(code))
    lines = ",\n".join(json.dumps(case) for case in index)
    header = json.dumps({"torch": torch.__version__, "checkpoints": CHECKPOINTS})
    (HERE / "rules.json").write_text(f'{{"recorded": {header},\n"cases": [\n{lines}\n]}}\n')
    (HERE / "rules.bin").write_bytes(b"".join(np.ascontiguousarray(part).tobytes() for part in blob))
    print(len(index), "cases")


main()
