"""Records the learning rates, and momenta where they move, of PyTorch's schedulers over 500 steps.

    pip install torch==2.15.0 --index-url https://download.pytorch.org/whl/cpu
    python record_schedules.py        # writes schedules.json and schedules.bin beside itself

schedules.json names the cases in order; schedules.bin holds for each 500 learning rates and, where the case
says so, 500 momenta, as little-endian f64. The options stand in `tests/suite/schedules.rs` under the same name.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler as lrs

STEPS = 500
HERE = pathlib.Path(__file__).parent
warnings.filterwarnings("ignore")

CASES = {
    "constant": lambda o: lrs.ConstantLR(o, factor=0.25, total_iters=30),
    "linear": lambda o: lrs.LinearLR(o, start_factor=0.2, end_factor=0.7, total_iters=150),
    "linear down": lambda o: lrs.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=300),
    "step": lambda o: lrs.StepLR(o, step_size=70, gamma=0.3),
    "multi-step": lambda o: lrs.MultiStepLR(o, milestones=[40, 90, 90, 333], gamma=0.5),
    "exponential": lambda o: lrs.ExponentialLR(o, gamma=0.97),
    "polynomial": lambda o: lrs.PolynomialLR(o, total_iters=400, power=1.7),
    "cosine": lambda o: lrs.CosineAnnealingLR(o, T_max=80, eta_min=0.013),
    "cosine to zero": lambda o: lrs.CosineAnnealingLR(o, T_max=500),
    "cosine-restarts": lambda o: lrs.CosineAnnealingWarmRestarts(o, T_0=60, eta_min=0.01),
    "cosine-restarts doubling": lambda o: lrs.CosineAnnealingWarmRestarts(o, T_0=30, T_mult=2),
    "cyclic triangular": lambda o: lrs.CyclicLR(o, base_lr=0.01, max_lr=0.3, step_size_up=40, step_size_down=25),
    "cyclic triangular2": lambda o: lrs.CyclicLR(
        o, base_lr=0.01, max_lr=0.3, step_size_up=30, mode="triangular2", base_momentum=0.7, max_momentum=0.95),
    "cyclic exp_range": lambda o: lrs.CyclicLR(
        o, base_lr=0.01, max_lr=0.3, step_size_up=30, mode="exp_range", gamma=0.99),
    "one-cycle": lambda o: lrs.OneCycleLR(o, max_lr=0.4, total_steps=STEPS),
    "one-cycle linear": lambda o: lrs.OneCycleLR(
        o, max_lr=0.4, total_steps=STEPS, anneal_strategy="linear", pct_start=0.2, div_factor=10,
        final_div_factor=100, base_momentum=0.8, max_momentum=0.9),
    "one-cycle three phases": lambda o: lrs.OneCycleLR(o, max_lr=0.4, total_steps=STEPS, three_phase=True),
    "lambda": lambda o: lrs.LambdaLR(o, lambda step: 1.0 / (1.0 + 0.01 * step)),
    "multiplicative": lambda o: lrs.MultiplicativeLR(o, lambda step: 1.0 - 1.0 / (step + 10.0)),
    "chained": lambda o: lrs.ChainedScheduler(
        [lrs.ExponentialLR(o, gamma=0.99), lrs.ConstantLR(o, factor=0.5, total_iters=20)], optimizer=o),
    "sequential": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, start_factor=0.1, total_iters=50), lrs.ExponentialLR(o, gamma=0.98),
            lrs.StepLR(o, step_size=100)], milestones=[50, 200]),
    "warm-up": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, start_factor=0.1, total_iters=50), lrs.CosineAnnealingLR(o, T_max=450)],
        milestones=[50]),
}
# The metric that the plateau watches: falls in steps, with ripples.
METRIC = [math.exp(-(step // 40) / 4) + 0.05 * math.sin(1.3 * step) for step in range(STEPS)]
PLATEAUS = {
    "plateau": dict(patience=6),
    "plateau absolute": dict(patience=3, threshold=0.02, threshold_mode="abs", factor=0.5, cooldown=8, min_lr=1e-3),
    "plateau max": dict(mode="max", patience=30, factor=0.3, threshold=0.01),
    "plateau max absolute": dict(
        mode="max", patience=20, factor=0.7, threshold=0.01, threshold_mode="abs", eps=2e-4),
}


def record(make):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        try:
            scheduler.step()
        except ValueError:  # one-cycle, after its last step
            break
    return rates, momenta


def record_plateau(options):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = lrs.ReduceLROnPlateau(optimizer, **options)
    rates = []
    for metric in METRIC:
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def main():
    index, blob = [], []
    for name, make in CASES.items():
        rates, momenta = record(make)
        assert len(rates) == STEPS, name
        moves = any(momentum != 0.9 for momentum in momenta)
        index.append({"name": name, "momentum": moves})
        blob += [rates, momenta] if moves else [rates]
    for name, options in PLATEAUS.items():
        index.append({"name": name, "momentum": False})
        blob.append(record_plateau(options))
    lines = ",\n".join(json.dumps(case) for case in index)
    (HERE / "schedules.json").write_text(f'{{"torch": "{torch.__version__}",\n"cases": [\n{lines}\n]}}\n')
    (HERE / "schedules.bin").write_bytes(np.array(blob, dtype="<f8").tobytes())


main()
