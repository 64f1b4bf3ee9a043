"""Records what PyTorch computes for the ops of `Graph`, for tests/suite/pytorch_ops.rs.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 safetensors==0.8.0 numpy
    venv/bin/python crates/nn/tests/pytorch/ops.py

writes `ops.txt` beside this file: for each case the result's shape, its values and the gradient of each input, or, if
the result is indices, only shape and values. The inputs are those of `record.py`: hashes of their index, rounded to few
values where ties are the point.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional as F

from record import tensor

IMAGES = (1, 4, 5, 2)


def padded(mode, *border):
    """`border` is [before, after] of the width, then of the height, as PyTorch counts."""
    return lambda x: F.pad(x.permute(0, 3, 1, 2), border, mode=mode).permute(0, 2, 3, 1)


def picks(*shape):
    """Indices below 3, some of them twice."""
    n = torch.Size(shape).numel()
    return torch.tensor([(i * 7 + i // 3) % 3 for i in range(n)]).reshape(shape)


class Picked(NamedTuple):
    """The first elements in sorted order, and their indices."""

    values: torch.Tensor
    indices: torch.Tensor


def stable(x, k, dim, largest=True):
    """What `torch.topk` gives, except that equal elements keep their order, which PyTorch leaves open there."""
    values, indices = x.sort(dim=dim, descending=largest, stable=True)
    return Picked(values.narrow(dim, 0, k), indices.narrow(dim, 0, k))


# Name, shapes of the inputs, whether they are rounded to halves, the op.
CASES = [
    ("add", [(2, 3), (3,)], False, torch.add),
    ("sub", [(2, 3), (2, 1)], False, torch.sub),
    ("mul", [(2, 1, 3), (4, 1)], False, torch.mul),
    ("div", [(2, 3), (3,)], False, lambda a, b: a / (b + 2)),
    ("neg", [(2, 3)], False, torch.neg),
    ("exp", [(5,)], False, torch.exp),
    ("log", [(5,)], False, lambda a: (a + 2).log()),
    ("sqrt", [(5,)], False, lambda a: (a + 2).sqrt()),
    ("pow", [(5,)], False, lambda a: (a + 2) ** 1.5),
    ("square", [(5,)], True, lambda a: a**2),
    ("sum", [(2, 3)], False, torch.sum),
    ("sum_axes", [(2, 3, 4)], False, lambda a: a.sum((0, 2), keepdim=True)),
    ("mean", [(2, 3)], False, torch.mean),
    ("mean_axes", [(2, 3, 4)], False, lambda a: a.mean(1)),
    ("permute", [(2, 3, 4)], False, lambda a: a.permute(2, 0, 1)),
    ("transpose", [(2, 3, 4)], False, lambda a: a.transpose(0, 2)),
    ("reshape", [(2, 3, 4)], False, lambda a: a.reshape(4, 6)),
    ("flatten", [(2, 3, 4)], False, lambda a: a.flatten(1)),
    ("flatten_images", [IMAGES], False, lambda a: a.permute(0, 3, 1, 2).flatten(1)),
    ("flatten_from", [(2, 3, 4, 2)], False, lambda a: a.flatten(2)),
    ("flatten_between", [(2, 3, 4)], False, lambda a: a.flatten(0, 1)),
    ("concat", [(2, 3), (2, 2)], False, lambda a, b: torch.cat([a, b], 1)),
    ("slice", [(2, 5)], False, lambda a: a.narrow(1, 1, 3)),
    ("index_select", [(3, 2)], False, lambda a: a.index_select(0, picks(5))),
    ("broadcast_to", [(3, 1)], False, lambda a: a.broadcast_to(2, 3, 4)),
    ("expand_as", [(1, 3), (2, 3)], False, lambda a, b: a.expand_as(b) * b),
    ("matmul", [(2, 1, 3, 4), (5, 4, 2)], False, torch.matmul),
    ("matmul_matrix", [(2, 3, 4), (4, 5)], False, torch.matmul),
    ("matmul_vector", [(2, 3, 4), (4,)], False, torch.matmul),
    ("vector_matmul", [(4,), (2, 4, 3)], False, torch.matmul),
    ("dot", [(4,), (4,)], False, torch.matmul),
    ("einsum_scores", [(2, 2, 3, 4), (2, 2, 5, 4)], False, lambda a, b: torch.einsum("nhtd,nhsd->nhts", a, b)),
    ("einsum_bilinear", [(2, 3), (2, 4)], False, lambda a, b: torch.einsum("ni,nj->ji", a, b)),
    ("einsum_ellipsis", [(2, 1, 3, 2), (3, 2, 2)], False, lambda a, b: torch.einsum("...ij,...kj->...ki", a, b)),
    ("einsum_ellipsis_summed", [(2, 3, 2), (1, 2)], False, lambda a, b: torch.einsum("...i,...j->ij", a, b)),
    ("einsum_ellipsis_implicit", [(2, 3), (3, 2)], False, lambda a, b: torch.einsum("j...,...i", a, b)),
    ("einsum_implicit", [(2, 3), (4, 2)], False, lambda a, b: torch.einsum("cb,ac", a, b)),
    ("where", [(2, 3), (3,)], False, lambda a, b: torch.where(a > 0, a, b)),
    ("masked_fill", [(2, 3)], False, lambda a: a.masked_fill(a > 0, -2.0)),
    ("clamp", [(2, 3)], True, lambda a: a.clamp(-0.5, 0.5)),
    ("clamp_crossed", [(2, 3)], False, lambda a: a.clamp(0.5, -0.5)),
    ("abs", [(3, 4)], True, torch.abs),
    ("sign", [(3, 4)], True, torch.sign),
    ("maximum", [(3, 4), (4,)], True, torch.maximum),
    ("minimum", [(3, 4), (4,)], True, torch.minimum),
    ("amax", [(2, 3, 4)], True, lambda a: a.amax((0, 2))),
    ("amin", [(2, 3, 4)], True, lambda a: a.amin(1, keepdim=True)),
    ("max_of_all", [(3, 4)], True, torch.max),
    ("max", [(3, 6)], True, lambda a: a.max(1).values),
    ("min", [(3, 6)], True, lambda a: a.min(0, keepdim=True).values),
    ("sort", [(2, 5, 2)], True, lambda a: a.sort(dim=1, descending=True, stable=True).values),
    ("topk", [(2, 7)], False, lambda a: a.topk(3, 1).values),
    ("topk_ties", [(2, 7)], True, lambda a: stable(a, 3, 1).values),
    ("topk_smallest", [(7, 2)], False, lambda a: a.topk(3, 0, largest=False).values),
    ("gather", [(3, 4)], False, lambda a: a.gather(0, picks(2, 4))),
    ("scatter_add", [(2, 3), (2, 5)], False, lambda a, b: a.scatter_add(1, picks(2, 5), b)),
    ("cumsum", [(2, 3, 4)], False, lambda a: a.cumsum(1)),
    ("cumsum_last", [(2, 5)], False, lambda a: a.cumsum(-1)),
    ("stack", [(2, 3), (2, 3)], False, lambda a, b: torch.stack([a, b], 1)),
    ("split", [(2, 7)], False, lambda a: torch.cat(a.split([1, 4, 2], 1)[::-1], 1)),
    ("split_first", [(5, 3)], False, lambda a: a.split([3, 2])[1]),
    ("chunk", [(2, 7)], False, lambda a: torch.cat(a.chunk(3, 1)[::-1], 1)),
    ("roll", [(2, 5)], False, lambda a: a.roll(-2, 1)),
    ("outer", [(3,), (4,)], False, torch.outer),
    ("pad_constant", [IMAGES], False, lambda x: F.pad(x.permute(0, 3, 1, 2), (1, 2, 0, 3), value=0.5).permute(0, 2, 3, 1)),
    ("pad_reflect", [IMAGES], False, padded("reflect", 4, 1, 2, 3)),
    ("pad_replicate", [IMAGES], False, padded("replicate", 1, 6, 5, 2)),
    ("pad_circular", [IMAGES], False, padded("circular", 5, 1, 2, 4)),
    ("norm_1", [(3, 4)], True, lambda a: torch.linalg.vector_norm(a, 1, 1)),
    ("norm_2", [(3, 4)], False, lambda a: torch.linalg.vector_norm(a, 2)),
    ("norm_3", [(3, 4)], False, lambda a: torch.linalg.vector_norm(a, 3, 0, keepdim=True)),
    ("norm_half", [(3, 4)], True, lambda a: torch.linalg.vector_norm(a, 0.5, 1)),
    ("norm_max", [(3, 4)], True, lambda a: torch.linalg.vector_norm(a, float("inf"), 1)),
    ("logsumexp", [(2, 3, 4)], False, lambda a: torch.logsumexp(90 * a, (0, 2))),
    ("var", [(2, 3, 4)], False, lambda a: a.var((0, 2))),
    ("var_of_all", [(3, 4)], False, lambda a: a.var(correction=0)),
    ("std", [(2, 3, 4)], False, lambda a: a.std(1, keepdim=True)),
    ("std_correction", [(3, 5)], False, lambda a: a.std(1, correction=2)),
    ("cosine_similarity", [(3, 4), (3, 4)], False, F.cosine_similarity),
    ("cosine_similarity_axis", [(2, 3, 4), (1, 3, 4)], False, lambda a, b: F.cosine_similarity(a, b, dim=2, eps=0.9)),
    ("pairwise_distance", [(3, 4), (3, 4)], False, F.pairwise_distance),
    ("pairwise_distance_3", [(3, 4), (4,)], False, lambda a, b: F.pairwise_distance(a, b, p=3, eps=0.1, keepdim=True)),
    ("sin", [(5,)], False, torch.sin),
    ("cos", [(5,)], False, torch.cos),
    ("tan", [(5,)], False, torch.tan),
    ("asin", [(5,)], False, torch.asin),
    ("acos", [(5,)], False, torch.acos),
    ("atan", [(5,)], False, torch.atan),
    ("sinh", [(5,)], False, torch.sinh),
    ("cosh", [(5,)], False, torch.cosh),
]

# The same for results that are indices. Of the values rounded to halves many are equal.
INDICES = [
    ("sort_indices", [(2, 5, 2)], True, lambda a: a.sort(dim=1, descending=True, stable=True).indices),
    ("sort_indices_ascending", [(4, 6)], True, lambda a: a.sort(dim=0, stable=True).indices),
    ("argsort", [(3, 7)], False, lambda a: a.argsort(1)),
    ("argsort_ties", [(3, 7)], True, lambda a: a.argsort(stable=True, dim=1, descending=True)),
    ("topk_indices", [(2, 7)], False, lambda a: a.topk(3, 1).indices),
    ("topk_indices_smallest", [(7, 2)], False, lambda a: a.topk(3, 0, largest=False).indices),
    ("topk_indices_ties", [(2, 7)], True, lambda a: stable(a, 3, 1).indices),
    ("topk_indices_ties_smallest", [(7, 2)], True, lambda a: stable(a, 4, 0, largest=False).indices),
    ("argmax_ties", [(3, 6)], True, lambda a: a.argmax(1)),
    ("argmin_ties", [(3, 6)], True, lambda a: a.argmin(0)),
    ("max_indices", [(3, 6)], True, lambda a: a.max(1).indices),
    ("min_indices", [(3, 6)], True, lambda a: a.min(0, keepdim=True).indices),
]


def main():
    lines = [f"# PyTorch {torch.__version__.split('+')[0]}"]
    for name, shapes, is_rounded, op in CASES + INDICES:
        inputs = [tensor(stream, *shape) for stream, shape in enumerate(shapes, 1)]
        inputs = [((x * 2).round() / 2 if is_rounded else x).requires_grad_() for x in inputs]
        y = op(*inputs)
        grads = torch.autograd.grad(y, inputs, tensor(9, *y.shape)) if y.requires_grad else []
        parts = [("shape", y.shape), ("y", y.detach().flatten().tolist())]
        parts += [(f"d{i}", grad.flatten().tolist()) for i, grad in enumerate(grads)]
        lines += [f"{name}.{key}" + "".join(f" {v:.9g}" for v in values) for key, values in parts]
    Path(__file__).with_name("ops.txt").write_text("\n".join(lines) + "\n")


main()
