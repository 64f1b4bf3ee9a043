"""A variational autoencoder of small images, which then draws some of its own.

    python vae.py --quick
"""

import sys

import torch
from torch import nn
from torch.nn import functional as F

SIZE = 12


class Vae(nn.Module):
    """Images, [n, SIZE²], and normal noise to the negative evidence lower bound of an image."""

    def __init__(self, n_hidden, n_latent):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(SIZE * SIZE, n_hidden), nn.ReLU())
        self.mean = nn.Linear(n_hidden, n_latent)
        self.log_var = nn.Linear(n_hidden, n_latent)
        self.decoder = nn.Sequential(nn.Linear(n_latent, n_hidden), nn.ReLU(), nn.Linear(n_hidden, SIZE * SIZE))

    def forward(self, x, noise):
        h = self.encoder(x)
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + noise * torch.exp(log_var / 2)
        unlikeness = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()
        return (unlikeness + kl) / len(x)

    def decode(self, z):
        return torch.sigmoid(self.decoder(z))


def blobs(n):
    """Images of one blob of light each."""
    distances = torch.arange(SIZE) - 2 - (SIZE - 5) * torch.rand(2, n, 1)
    rows, cols = torch.exp(-(distances**2) / 4)
    return torch.einsum("nh,nw->nhw", rows, cols).flatten(1)


def train(vae, batches):
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
    losses = []
    for x, noise in batches:
        loss = vae(x, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main(quick):
    torch.manual_seed(0)
    vae = Vae(64, 4)
    n_steps = 500 if quick else 10_000
    losses = train(vae, ((blobs(64), torch.randn(64, 4)) for _ in range(n_steps)))
    with torch.no_grad():
        images = vae.decode(torch.randn(2, 4))
    for row in images.reshape(-1, SIZE):
        print("".join(" .:*#"[int(light * 4.99)] for light in row))
    print("loss", losses[-1])


if __name__ == "__main__":
    main("--quick" in sys.argv)
