"""Records what PyTorch computes, for tests/suite/pytorch.rs.

Run again:  pip install torch==2.15.0 && python record.py > recorded.txt
Inputs are not recorded: both sides make them by the formula in `numbers`. Images go out as N x H x W x C.
Each line is a name and its values.
"""

import torch
import torch.nn.functional as F


def numbers(*shape, salt):
    n = torch.Size(shape).numel()
    i = torch.arange(n, dtype=torch.int64)
    return (((i * 7919 + salt * 104729) % 2001 - 1000).to(torch.float32) / 1000).reshape(shape)


def images(*shape, salt):
    """Numbers in N x H x W x C order, as the N x C x H x W tensor that PyTorch takes."""
    return numbers(*shape, salt=salt).permute(0, 3, 1, 2).contiguous().requires_grad_()


def record(name, tensor):
    values = tensor.detach()
    if values.dim() == 4 and not name.endswith("dw"):
        values = values.permute(0, 2, 3, 1)
    digits = "{:d}" if values.dtype == torch.int64 else "{:.9g}"
    print(name, *(digits.format(v) for v in values.flatten().tolist()))


def gradients(name, y, inputs, salt=9):
    """Records y and its gradients against numbers in the order of the recorded y."""
    record(name + ".y", y)
    if y.dim() == 4:
        n, c, h, w = y.shape
        dy = numbers(n, h, w, c, salt=salt).permute(0, 3, 1, 2)
    else:
        dy = numbers(*y.shape, salt=salt)
    for key, gradient in zip(inputs, torch.autograd.grad(y, list(inputs.values()), dy)):
        record(f"{name}.d{key}", gradient)


def main():
    print(f"# PyTorch {torch.__version__}")
    # name, (n, h, w, in, out), kernel, stride, padding, dilation, groups
    for name, (n, h, w, c_in, c_out), kernel, stride, padding, dilation, groups in [
        ("conv_plain", (2, 5, 4, 2, 3), (3, 3), (1, 1), (1, 1), (1, 1), 1),
        ("conv_general", (1, 8, 7, 4, 6), (3, 2), (2, 1), (2, 1), (1, 2), 2),
    ]:
        x = images(n, h, w, c_in, salt=1)
        weight = numbers(c_out, c_in // groups, *kernel, salt=2).requires_grad_()
        bias = numbers(c_out, salt=3).requires_grad_()
        y = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        gradients(name, y, {"x": x, "w": weight, "b": bias})

    x = images(2, 7, 6, 3, salt=1)
    y, indices = F.max_pool2d(x, (3, 2), (2, 2), (1, 1), return_indices=True)
    record("max_pool.indices", indices)
    gradients("max_pool", y, {"x": x})
    gradients("avg_pool", F.avg_pool2d(x, (3, 2), (2, 2), (1, 1)), {"x": x})

    x = (4 * numbers(41, salt=1)).requires_grad_()
    for name in ["gelu", "sigmoid", "tanh"]:
        function = F.gelu if name == "gelu" else getattr(torch, name)
        gradients(name, function(x), {"x": x})

    logits = (4 * numbers(3, 5, salt=1)).requires_grad_()
    losses = F.cross_entropy(logits, torch.tensor([4, 0, 2]), reduction="none", label_smoothing=0.1)
    record("cross_entropy.y", losses)
    (gradient,) = torch.autograd.grad(losses.mean(), logits)
    record("cross_entropy.dx", gradient)

    x = numbers(6, 3, salt=1).requires_grad_()
    weight, bias = numbers(3, salt=2).requires_grad_(), numbers(3, salt=3).requires_grad_()
    y = F.batch_norm(x, None, None, weight, bias, training=True, eps=1e-5)
    gradients("batch_norm", y, {"x": x, "w": weight, "b": bias})


main()
