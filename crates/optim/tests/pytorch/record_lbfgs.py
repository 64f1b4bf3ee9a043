"""Records where PyTorch's L-BFGS is after each of ten calls on two functions, with each of its options.

    pip install torch==2.15.0 --index-url https://download.pytorch.org/whl/cpu
    python record_lbfgs.py        # writes lbfgs.json beside itself
"""

import json
import math
import pathlib

import torch

HERE = pathlib.Path(__file__).parent
N, CALLS = 6, 10
torch.set_default_dtype(torch.float64)


def rosenbrock(w):
    return (100.0 * (w[1:] - w[:-1] ** 2) ** 2 + (1.0 - w[:-1]) ** 2).sum()


def ripples(w):
    return (0.5 * w**2 + torch.cos(2.0 * w)).sum() + 0.1 * (w[1:] * w[:-1]).sum()


FUNCTIONS = {"rosenbrock": (rosenbrock, [-1.2, 1.0, -0.5, 0.8, 1.1, 0.3]),
             "ripples": (ripples, [2.5, -1.7, 0.4, 3.1, -2.2, 1.3])}
CASES = [
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 5}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 3}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 6, "max_eval": 7}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 3, "lr": 0.3}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 3, "lr": 40.0}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 3, "max_eval": 60, "lr": 40.0}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 3, "max_eval": 60, "lr": 1e-3}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 30, "tolerance_grad": 0.1}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 30, "tolerance_change": 0.05}),
    ("ripples", {"max_iter": 3, "lr": 0.2}),
    ("ripples", {"max_iter": 4, "lr": 0.5}),
    ("ripples", {"max_iter": 4, "history_size": 2, "lr": 0.5}),
    ("ripples", {"max_iter": 8, "max_eval": 3, "lr": 0.3}),
    ("ripples", {"line_search_fn": "strong_wolfe", "max_iter": 3}),
    ("ripples", {"line_search_fn": "strong_wolfe", "max_iter": 3, "max_eval": 40, "lr": 12.0}),
    ("ripples", {"line_search_fn": "strong_wolfe", "max_iter": 2, "max_eval": 40, "lr": 0.02}),
    ("ripples", {"line_search_fn": "strong_wolfe", "max_iter": 2, "maximize": True}),
    ("ripples", {"max_iter": 3, "lr": 0.2, "maximize": True}),
]


def record(name, options):
    function, start = FUNCTIONS[name]
    w = torch.tensor(start).requires_grad_()
    optimizer = torch.optim.LBFGS([w], **options)
    sign = -1.0 if options.get("maximize") else 1.0
    evals = 0

    def closure():
        nonlocal evals
        evals += 1
        optimizer.zero_grad()
        loss = sign * function(w)
        loss.backward()
        return loss

    points, counts = [], []
    for _ in range(CALLS):
        optimizer.step(closure)
        points.append(w.detach().tolist())
        counts.append(evals)
    assert all(math.isfinite(x) for x in points[-1]), (name, options)
    return {"function": name, "options": options, "start": start, "points": points, "evals": counts}


def main():
    lines = ",\n".join(json.dumps(record(*case)) for case in CASES)
    (HERE / "lbfgs.json").write_text(f'{{"torch": "{torch.__version__}",\n"cases": [\n{lines}\n]}}\n')


main()
