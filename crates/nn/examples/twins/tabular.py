"""Two classes from a table: CSV, standardised, split, trained, and judged by a ROC curve and the area under it.

    python tabular.py --quick
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

TABLE = Path(__file__).parent.parent / "tabular.csv"


def network():
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))


def train(net, batches, n_epochs):
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(n_epochs):
        for x, y in batches:
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def main(quick):
    torch.manual_seed(0)
    table = np.loadtxt(TABLE, delimiter=",", skiprows=1, dtype=np.float32)
    x, y = table[:, :-1], table[:, -1].astype(int)
    x, x_test, y, y_test = train_test_split(x, y, test_size=120, stratify=y, random_state=0)
    scale = StandardScaler().fit(x)
    training = TensorDataset(torch.tensor(scale.transform(x)), torch.tensor(y))
    net = network()
    train(net, DataLoader(training, 32, shuffle=True), 30 if quick else 200)

    with torch.no_grad():
        scores = net(torch.tensor(scale.transform(x_test))).softmax(1)
    predicted = scores.argmax(1)
    print("confusion", confusion_matrix(y_test, predicted), "accuracy", accuracy_score(y_test, predicted))
    false_rates, true_rates, _ = roc_curve(y_test, scores[:, 1], drop_intermediate=False)
    for false_rate, true_rate in zip(false_rates[::10], true_rates[::10]):
        print(f"false {false_rate:.2f} true {true_rate:.2f}")
    print("score", roc_auc_score(y_test, scores[:, 1]))


if __name__ == "__main__":
    main("--quick" in sys.argv)
