"""A convolutional GAN: one network draws small images, the other tells them from real ones.

    python gan.py --quick
"""

import sys

import torch
from torch import nn
from torch.nn import functional as F

SIZE = 12


class Gan(nn.Module):
    """Noise, [n, 16], to images."""

    def __init__(self, width):
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(16, 2 * width * 9),
            nn.Unflatten(1, (2 * width, 3, 3)),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * width * 9, 1),
        )

    def forward(self, noise):
        return self.generator(noise)

    def error(self, images, is_real):
        """How wrong the discriminator is about images that are all real (1) or all drawn (0)."""
        logits = self.discriminator(images)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, is_real))


def blobs(n):
    """Images of one blob of light each."""
    distances = torch.arange(SIZE) - 2 - (SIZE - 5) * torch.rand(2, n, 1)
    rows, cols = torch.exp(-(distances**2) / 4)
    return torch.einsum("nh,nw->nhw", rows, cols).unsqueeze(1)


def train(gan, batches):
    generator = torch.optim.Adam(gan.generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    discriminator = torch.optim.Adam(gan.discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    losses = []
    for real, noise in batches:
        drawn = gan(noise)
        loss = gan.error(real, 1.0) + gan.error(drawn.detach(), 0.0)
        discriminator.zero_grad()
        loss.backward()
        discriminator.step()
        losses.append(loss.item())
        loss = gan.error(drawn, 1.0)
        generator.zero_grad()
        loss.backward()
        generator.step()
        losses.append(loss.item())
    return losses


def main(quick):
    torch.manual_seed(0)
    gan = Gan(16)
    n_steps = 150 if quick else 3000
    losses = train(gan, ((blobs(32), torch.randn(32, 16)) for _ in range(n_steps)))
    gan.eval()
    with torch.no_grad():
        images = gan(torch.randn(2, 16))
    for row in images.reshape(-1, SIZE):
        print("".join(" .:*#"[int(light * 4.99)] for light in row))
    print("loss", losses[-1])


if __name__ == "__main__":
    main("--quick" in sys.argv)
