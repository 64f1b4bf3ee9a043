"""An update rule of one's own, AdaBelief, walks down Rosenbrock's valley.

    python own_rule.py --quick
"""

import sys

import torch


class AdaBelief(torch.optim.Optimizer):
    """Steps are long where the gradient is near what was believed, its running mean."""

    def __init__(self, params, lr, betas, eps):
        if not (lr >= 0 and 0 <= betas[0] < 1 and 0 <= betas[1] < 1 and eps >= 0):
            raise ValueError(f"a hyperparameter is outside its range: {lr=}, {betas=}, {eps=}")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps = group["lr"], group["betas"], group["eps"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(t=0, exp_avg=torch.zeros_like(p), exp_avg_var=torch.zeros_like(p))
                state["t"] += 1
                m, s, t = state["exp_avg"], state["exp_avg_var"], state["t"]
                m.lerp_(p.grad, 1 - beta1)
                s.mul_(beta2).add_((1 - beta2) * (p.grad - m) ** 2 + eps)
                p -= lr / (1 - beta1**t) * m / ((s / (1 - beta2**t)).sqrt() + eps)


def rosenbrock(point):
    x, y = point
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def train(point, n_steps):
    point = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    optimizer = AdaBelief([point], lr=0.02, betas=(0.9, 0.999), eps=1e-16)
    losses = []
    for _ in range(n_steps):
        loss = rosenbrock(point)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main(quick):
    losses = train([-1.2, 1.0], 3000 if quick else 100_000)
    for step, loss in list(enumerate(losses))[:: len(losses) // 10]:
        print(f"step {step:5}: {loss:.6f}")
    print("loss", losses[-1])


if __name__ == "__main__":
    main("--quick" in sys.argv)
