"""Checks the formulas and constants of the book and the lecture's page with PyTorch's autograd and float64 arithmetic.

    python docs/checked/formulas.py

Written from the pages' formulas, not from the library's code. Prints a line for each and ends with an error where one does
not hold. docs/CHECKED.md says which line stands for what.
"""

import math

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
F = torch.nn.functional
jacobian = torch.autograd.functional.jacobian
bad = []


def check(name, found, expected, tolerance=1e-10):
    found, expected = torch.as_tensor(found).detach(), torch.as_tensor(expected).detach()
    difference = float((found - expected).abs().max())
    is_well = difference <= tolerance
    print(f"{'ok ' if is_well else 'BAD'} {name}: differs by {difference:.1e}")
    if not is_well:
        bad.append(name)


def linear_layer():
    x, w = torch.randn(5, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    b = torch.randn(4, requires_grad=True)
    y = F.linear(x, w, b)
    dy = torch.randn_like(y)
    y.backward(dy)
    check("linear: y", y, x @ w.T + b)
    check("linear: dx", x.grad, dy @ w)
    check("linear: dW", w.grad, dy.T @ x)
    check("linear: db", b.grad, dy.sum(0))


def layer_norm():
    eps = 1e-3
    x, w = torch.randn(6, 7, requires_grad=True), torch.randn(7, requires_grad=True)
    b = torch.randn(7, requires_grad=True)
    y = F.layer_norm(x, (7,), w, b, eps)
    dy = torch.randn_like(y)
    y.backward(dy)

    def normal(z):
        mu = z.mean(-1, keepdim=True)
        sigma = ((z - mu) ** 2).mean(-1, keepdim=True).add(eps).sqrt()
        return (z - mu) / sigma, sigma

    x_hat, sigma = normal(x)
    g = dy * w
    check("layer norm: y", y, x_hat * w + b)
    check("layer norm: dw", w.grad, (dy * x_hat).sum(0))
    check("layer norm: db", b.grad, dy.sum(0))
    mean = lambda z: z.mean(1, keepdim=True)
    check("layer norm: dx", x.grad, (g - mean(g) - x_hat * mean(g * x_hat)) / sigma)
    row = torch.randn(5)
    x_hat, sigma = normal(row)
    outer = torch.outer(x_hat, x_hat)
    check("layer norm: the derivative of sigma", jacobian(lambda z: normal(z)[1], row)[0], x_hat / 5)
    check("layer norm: the derivative of x hat", jacobian(lambda z: normal(z)[0], row), (torch.eye(5) - 1 / 5 - outer / 5) / sigma)


def attention():
    t, s, d, e = 4, 6, 3, 5
    q, k = torch.randn(t, d, requires_grad=True), torch.randn(s, d, requires_grad=True)
    v = torch.randn(s, e, requires_grad=True)
    c = 1 / math.sqrt(d)
    scores = c * q @ k.T
    p = torch.softmax(scores, 1)
    y = p @ v
    dy = torch.randn_like(y)
    y.backward(dy)
    check("attention: y", y, F.scaled_dot_product_attention(q[None], k[None], v[None])[0])
    dp = dy @ v.T
    big_d = (p * dp).sum(1, keepdim=True)
    ds = p * (dp - big_d)
    check("attention: D", big_d[:, 0], (dy * y).sum(1))
    check("attention: dv", v.grad, p.T @ dy)
    check("attention: dq", q.grad, c * ds @ k)
    check("attention: dk", k.grad, c * ds.T @ q)
    m, l, gathered = torch.full((t,), -1e300), torch.zeros(t), torch.zeros(t, e)
    for j in range(0, s, 2):
        block = scores[:, j : j + 2]
        m_new = torch.maximum(m, block.max(1).values)
        f, weights = (m - m_new).exp(), (block - m_new[:, None]).exp()
        l = f * l + weights.sum(1)
        gathered = f[:, None] * gathered + weights @ v[j : j + 2]
        m = m_new
    check("attention: block by block", gathered / l[:, None], y)


def activations_and_losses():
    z = torch.linspace(-8, 8, 161)
    sigmoid = lambda z: 1 / (1 + (-z).exp())
    check("sigmoid'", jacobian(sigmoid, z).diagonal(), sigmoid(z) * (1 - sigmoid(z)))
    check("tanh'", jacobian(torch.tanh, z).diagonal(), 1 - torch.tanh(z) ** 2)
    check("tanh' as 1/cosh²", 1 / torch.cosh(z) ** 2, 1 - torch.tanh(z) ** 2, 1e-12)
    check("tanh'(-8)", 1 / math.cosh(8) ** 2, 4.50e-7, 0.005e-7)
    logits, labels = torch.randn(4, 10), torch.tensor([1, 2, 3, 4])
    ours = torch.logsumexp(logits, 1) - logits[range(4), labels]
    check("cross-entropy", F.cross_entropy(logits, labels, reduction="none"), ours)
    p, decay = torch.randn(9, requires_grad=True), 0.7
    (decay / 2 * (p**2).sum()).backward()
    check("the penalty's gradient", p.grad, decay * p)


def constants():
    for beta, factors in [(0.9, (10, 5.263158)), (0.999, (1000, 500.250125))]:
        for t, factor in zip((1, 2), factors):
            check(f"1/(1 − {beta}^{t})", 1 / (1 - beta**t), factor, 5e-7)
            total = (1 - beta) * sum(beta ** (t - i) for i in range(1, t + 1))
            check(f"the sum of Adam's weights, {beta}, {t}", total, 1 - beta**t, 1e-12)
    below = lambda beta: next(t for t in range(1, 10**5) if 1 / (1 - beta**t) < 1.05)
    check("the correction is below 1.05 from step", [below(0.9), below(0.999)], [29, 3043], 0)
    check("Adam's first raw step, in steps", 0.1 / math.sqrt(0.001), 3.16, 0.005)
    bounds = [0.471405, 0.144338, 0.102062, 0.054127, 0.153093]
    check("He's bounds", [math.sqrt(6 / n) for n in (27, 288, 576, 2048, 256)], bounds, 5e-7)
    conv = sum(9 * a * b + b for a, b in ((3, 32), (32, 64), (64, 128)))
    check("parameters of the CNN", conv + 2048 * 256 + 256 + 2560 + 10, 620_362, 0)
    check("parameters of the MLP", 3072 * 256 + 256 + 256 * 128 + 128 + 1280 + 10, 820_874, 0)
    check("batches", [-(-50_000 // 64), 50_000 % 64, -(-10_000 // 64), 10_000 % 64], [782, 16, 157, 16], 0)
    check("standard error of 50 % of a thousand", 100 * math.sqrt(0.25 / 1000), 1.6, 0.05)
    check("the density's peak", 1 / math.sqrt(2 * math.pi), 0.399, 0.0005)
    check("ten sigmoids", 4**10, 1e6, 5e4)


C = 0.15 * math.pi


def slope(x):
    return math.cos(C * x) - C * x * math.sin(C * x)


def zero(f, lo, hi):
    for _ in range(200):
        middle = (lo + hi) / 2
        lo, hi = (middle, hi) if (f(lo) > 0) == (f(middle) > 0) else (lo, middle)
    return lo


def adam(b1, b2, corrected):
    x, m, v = 15.0, 0.0, 0.0
    for t in range(1, 21):
        g = slope(x)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        m_hat, v_hat = (m / (1 - b1**t), v / (1 - b2**t)) if corrected else (m, v)
        x -= 0.7 * m_hat / (math.sqrt(v_hat) + 1e-8)
    return x


def momentum(beta, averaged):
    x, v = -7.0, 0.0
    for _ in range(35):
        v = beta * v + ((1 - beta) if averaged else 1) * slope(x)
        x -= 1.1 * v
    return x


def rmsprop(gamma):
    x, s = 12.0, 0.0
    for _ in range(10):
        s = gamma * s + (1 - gamma) * slope(x) ** 2
        x -= 0.5 * slope(x) / (math.sqrt(s) + 1e-8)
    return x


def descents():
    places = [zero(slope, *ends) for ends in ((-15, -12), (-3, -1), (6, 9), (19, 22))]
    check("four minima of the wave", places, [-13.660371, -1.825685, 7.269388, 20.221876], 5e-7)
    wavelet = lambda x: math.cos(math.pi * x) - math.pi * x * math.sin(math.pi * x)
    check("the summit between the two minima", zero(wavelet, 0, 0.9), 0.27, 0.005)
    f = lambda x: x * math.cos(math.pi * x)
    check("the marked minima", [f(-0.3), f(1.1)], [-0.176336, -1.046162], 5e-7)
    check("momentum, averaged and classical", [momentum(0.9, True), momentum(0.9, False)], [9.158892, -0.233587], 1e-6)
    check("RMSProp", [rmsprop(0.0), rmsprop(0.7), rmsprop(0.9)], [7.0, 7.426066, 7.279548], 1e-6)
    check("Adam, raw and corrected", [adam(0.9, 0.9, False), adam(0.6, 0.9, True)], [21.497050, 20.268340], 1e-6)


if __name__ == "__main__":
    for part in (linear_layer, layer_norm, attention, activations_and_losses, constants, descents):
        part()
    assert not bad, bad
