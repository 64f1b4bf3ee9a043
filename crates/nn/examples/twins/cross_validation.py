"""Cross-validation: picks the best of several learning rates over five folds of a table.

    python cross_validation.py --quick
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

TABLE = Path(__file__).parent.parent / "tabular.csv"


def network():
    return nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 2))


def train(net, batches, n_epochs, lr):
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum=0.9)
    losses = []
    for _ in range(n_epochs):
        for x, y in batches:
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def validate(x, y, training, validation, n_epochs, lr):
    """Trains on a fold's training part; returns the accuracy on its validation part."""
    scale = StandardScaler().fit(x[training])
    x = torch.tensor(scale.transform(x))
    torch.manual_seed(0)
    net = network()
    batches = DataLoader(TensorDataset(x[training], y[training]), 32, shuffle=True)
    train(net, batches, n_epochs, lr)
    with torch.no_grad():
        predicted = net(x[validation]).argmax(1)
    return (predicted == y[validation]).float().mean().item()


def main(quick):
    table = np.loadtxt(TABLE, delimiter=",", skiprows=1, dtype=np.float32)
    x, y = table[:, :-1], torch.tensor(table[:, -1].astype(int))
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(x, y))
    scores = {}
    for lr in [0.0001, 0.001, 0.01, 0.1, 1.0]:
        scores[lr] = np.mean([validate(x, y, *fold, 10 if quick else 100, lr) for fold in folds])
        print(f"lr {lr}: {scores[lr]:.4f}")
    best = max(scores, key=scores.get)
    print("best lr", best)
    print("score", scores[best])


if __name__ == "__main__":
    main("--quick" in sys.argv)
