"""Records the activations and the losses of PyTorch with their options, for tests/suite/pytorch_losses.rs.

    venv/bin/python crates/nn/tests/pytorch/losses.py

writes `losses.json` beside this file; `record.py` says how to make the venv. Inputs are not stored: they are a hash of
their index, computed here and in Rust by the same integer arithmetic.
"""

import json
import math
from pathlib import Path

import torch
from record import tensor
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent

ACTIVATIONS = [
    nn.ReLU(),
    nn.ReLU6(),
    nn.LeakyReLU(),
    nn.LeakyReLU(0.25),
    nn.ELU(),
    nn.ELU(1.5),
    nn.SELU(),
    nn.CELU(),
    nn.CELU(2.0),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Mish(),
    nn.Softplus(),
    nn.Softplus(2.0, 3.0),
    nn.Sigmoid(),
    nn.LogSigmoid(),
    nn.Tanh(),
    nn.Hardtanh(),
    nn.Hardtanh(-0.5, 2.0),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.GLU(),
    nn.Softmax(-1),
    nn.LogSoftmax(-1),
    nn.Identity(),
    nn.PReLU(),
    nn.PReLU(4, 0.1),
]


def numbers(x):
    """As short as f32 allows; JSON has no NaN and no infinity."""
    values = [float(str(v)) for v in x.detach().flatten().numpy()]
    return [v if math.isfinite(v) else str(v) for v in values]


def activations():
    """By the text that PyTorch prints: the output on 5 × 4 numbers, and the gradients."""
    recorded = {}
    for layer in ACTIVATIONS:
        x = (tensor(11, 5, 4) * 8).requires_grad_()
        y = layer(x)
        y.backward(tensor(12, *y.shape))
        entry = {"y": numbers(y), "dx": numbers(x.grad)}
        for name, parameter in layer.named_parameters():
            entry[name] = numbers(parameter)
            entry["d" + name] = numbers(parameter.grad)
        recorded[repr(layer)] = entry
    return recorded


class Inputs:
    """Everything is 5 × 4: `x`, `t` and `z` of either sign, `p` and `q` probabilities."""

    def __init__(self):
        self.x = (tensor(1, 5, 4) * 3).requires_grad_()
        self.t = (tensor(2, 5, 4) * 2).requires_grad_()
        self.z = (tensor(6, 5, 4) * 2).requires_grad_()
        self.p = ((tensor(3, 5, 4) + 1) / 2).requires_grad_()
        self.q = ((tensor(4, 5, 4) + 1) / 2).requires_grad_()
        self.edges = ((tensor(4, 5, 4) + 1) / 2).round().requires_grad_()
        self.positive = ((tensor(8, 5, 4) + 2)).requires_grad_()
        self.signs = tensor(5, 5, 4).sign()
        self.weight = tensor(7, 5, 4) + 1.5
        self.row_signs = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0])
        self.labels = torch.tensor([2, 0, 3, 3, 1])
        self.class_weight = torch.tensor([0.5, 2.0, 1.0, 0.25])
        self.labels_of_sequences = torch.tensor([[1, 0, 0, 1, 1], [0, 1, 1, 0, 1]])

    def sequences(self, x):
        """The same numbers as scores [2, 5 tokens, 2 classes], with PyTorch's order of axes."""
        return x.view(2, 5, 2).movedim(-1, 1)


LOSSES = {
    "mse": lambda i, r: F.mse_loss(i.x, i.t, reduction=r),
    "l1": lambda i, r: F.l1_loss(i.x, i.t, reduction=r),
    "huber": lambda i, r: F.huber_loss(i.x, i.t, delta=0.7, reduction=r),
    "smooth_l1": lambda i, r: F.smooth_l1_loss(i.x, i.t, reduction=r),
    "smooth_l1, beta": lambda i, r: F.smooth_l1_loss(i.x, i.t, beta=0.3, reduction=r),
    "smooth_l1, no beta": lambda i, r: F.smooth_l1_loss(i.x, i.t, beta=0.0, reduction=r),
    "kl_div": lambda i, r: F.kl_div(i.x, i.p, reduction=r),
    "kl_div, log_target": lambda i, r: F.kl_div(i.x, i.t, log_target=True, reduction=r),
    "poisson_nll": lambda i, r: F.poisson_nll_loss(i.x, i.positive, reduction=r),
    "poisson_nll, full": lambda i, r: F.poisson_nll_loss(i.x, i.positive, full=True, reduction=r),
    "poisson_nll, rate": lambda i, r: F.poisson_nll_loss(i.q, i.positive, log_input=False, eps=1e-3, reduction=r),
    "gaussian_nll": lambda i, r: F.gaussian_nll_loss(i.x, i.t, i.positive, reduction=r),
    "gaussian_nll, full": lambda i, r: F.gaussian_nll_loss(i.x, i.t, i.q, full=True, eps=0.25, reduction=r),
    "bce": lambda i, r: F.binary_cross_entropy(i.q, i.p, reduction=r),
    "bce, edges": lambda i, r: F.binary_cross_entropy(i.edges, i.p, reduction=r),
    "bce, weight": lambda i, r: F.binary_cross_entropy(i.q, i.p, weight=i.weight, reduction=r),
    "bce_with_logits": lambda i, r: F.binary_cross_entropy_with_logits(i.x, i.p, reduction=r),
    "bce_with_logits, weight": lambda i, r: F.binary_cross_entropy_with_logits(i.x, i.p, i.weight, reduction=r),
    "bce_with_logits, pos_weight": lambda i, r: F.binary_cross_entropy_with_logits(
        i.x, i.p, pos_weight=i.class_weight, reduction=r
    ),
    "bce_with_logits, both": lambda i, r: F.binary_cross_entropy_with_logits(
        i.x, i.p, i.weight, pos_weight=i.class_weight, reduction=r
    ),
    "hinge_embedding": lambda i, r: F.hinge_embedding_loss(i.x, i.signs, reduction=r),
    "hinge_embedding, margin": lambda i, r: F.hinge_embedding_loss(i.x, i.signs, margin=0.3, reduction=r),
    "margin_ranking": lambda i, r: F.margin_ranking_loss(i.x, i.t, i.signs, reduction=r),
    "margin_ranking, margin": lambda i, r: F.margin_ranking_loss(i.x, i.t, i.signs, margin=0.5, reduction=r),
    "cosine_embedding": lambda i, r: F.cosine_embedding_loss(i.x, i.t, i.row_signs, reduction=r),
    "cosine_embedding, margin": lambda i, r: F.cosine_embedding_loss(i.x, i.t, i.row_signs, margin=0.2, reduction=r),
    "triplet_margin": lambda i, r: F.triplet_margin_loss(i.x, i.t, i.z, reduction=r),
    "triplet_margin, p = 1": lambda i, r: F.triplet_margin_loss(i.x, i.t, i.z, margin=2.0, p=1, reduction=r),
    "triplet_margin, p = 3, swap": lambda i, r: F.triplet_margin_loss(i.x, i.t, i.z, p=3, swap=True, reduction=r),
    "multi_margin": lambda i, r: F.multi_margin_loss(i.x, i.labels, reduction=r),
    "multi_margin, p = 2": lambda i, r: F.multi_margin_loss(i.x, i.labels, p=2, margin=0.5, reduction=r),
    "multi_margin, weight": lambda i, r: F.multi_margin_loss(i.x, i.labels, weight=i.class_weight, reduction=r),
    "nll": lambda i, r: F.nll_loss(i.x, i.labels, reduction=r),
    "nll, weight": lambda i, r: F.nll_loss(i.x, i.labels, i.class_weight, reduction=r),
    "nll, weight, ignore_index": lambda i, r: F.nll_loss(i.x, i.labels, i.class_weight, ignore_index=3, reduction=r),
    "nll, sequences": lambda i, r: F.nll_loss(
        i.sequences(i.x), i.labels_of_sequences, i.class_weight[:2], ignore_index=0, reduction=r
    ),
    "cross_entropy": lambda i, r: F.cross_entropy(i.x, i.labels, reduction=r),
    "cross_entropy, smoothing": lambda i, r: F.cross_entropy(i.x, i.labels, label_smoothing=0.1, reduction=r),
    "cross_entropy, weight": lambda i, r: F.cross_entropy(i.x, i.labels, i.class_weight, reduction=r),
    "cross_entropy, ignore_index": lambda i, r: F.cross_entropy(i.x, i.labels, ignore_index=3, reduction=r),
    "cross_entropy, ignore_index, smoothing": lambda i, r: F.cross_entropy(
        i.x, i.labels, ignore_index=3, label_smoothing=0.3, reduction=r
    ),
    "cross_entropy, all": lambda i, r: F.cross_entropy(
        i.x, i.labels, i.class_weight, ignore_index=3, label_smoothing=0.3, reduction=r
    ),
    "cross_entropy, all ignored": lambda i, r: F.cross_entropy(i.x, i.labels * 0, ignore_index=0, reduction=r),
    "cross_entropy, sequences": lambda i, r: F.cross_entropy(
        i.sequences(i.x), i.labels_of_sequences, i.class_weight[:2], ignore_index=0, label_smoothing=0.3, reduction=r
    ),
    "cross_entropy, sequences of probabilities": lambda i, r: F.cross_entropy(
        i.sequences(i.x), i.sequences(i.p), i.class_weight[:2], reduction=r
    ),
    "cross_entropy, probabilities": lambda i, r: F.cross_entropy(i.x, i.p, reduction=r),
    "cross_entropy, probabilities, smoothing": lambda i, r: F.cross_entropy(
        i.x, i.p, label_smoothing=0.3, reduction=r
    ),
    "cross_entropy, probabilities, weight": lambda i, r: F.cross_entropy(
        i.x, i.p, i.class_weight, label_smoothing=0.3, reduction=r
    ),
}


def losses():
    """By name and reduction: the loss, and the gradient of every input that has one."""
    recorded = {}
    for name, loss_fn in LOSSES.items():
        reductions = ["none", "mean", "sum"] + (["batchmean"] if name.startswith("kl_div") else [])
        for reduction in reductions:
            inputs = Inputs()
            loss = loss_fn(inputs, reduction)
            loss.backward(tensor(9, *loss.shape) if reduction == "none" else None)
            grads = {k: numbers(v.grad) for k, v in vars(inputs).items() if v.grad is not None}
            recorded.setdefault(name, {})[reduction] = {"loss": numbers(loss), "grads": grads}
    return recorded


if __name__ == "__main__":
    torch.set_num_threads(2)
    # A line for each entry.
    tables = {"torch": torch.__version__.split("+")[0], "activations": activations(), "losses": losses()}
    lines = [f'"torch": {json.dumps(tables.pop("torch"))}']
    for table, entries in tables.items():
        rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items())
        lines.append(f'"{table}": {{\n{rows}\n}}')
    (HERE / "losses.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
