"""Trains the network of twin.py and writes spirals.safetensors beside this file.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 safetensors==0.8.0
    venv/bin/python examples/inference/train.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from twin import network, run, spirals

torch.manual_seed(0)
net = network()
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
x, y = spirals(997), torch.arange(997) % 2
for _ in range(1000):
    loss = F.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
save_file(net.state_dict(), Path(__file__).parent / "spirals.safetensors")
print(loss.item(), run())
