"""ResNet-18 with torchvision's names, so that weights go both ways; it learns CIFAR-10.

    python resnet18.py --quick
"""

import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10, FakeData


def conv3x3(in_channels, out_channels, stride):
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two convolutions and what goes around them."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels, 1)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(out_channels))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x))


def stage(in_channels, out_channels, stride):
    return nn.Sequential(BasicBlock(in_channels, out_channels, stride), BasicBlock(out_channels, out_channels, 1))


class ResNet18(nn.Module):
    """Images to logits; 64 wide as torchvision has it."""

    def __init__(self, width, n_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = stage(width, width, 1)
        self.layer2 = stage(width, 2 * width, 2)
        self.layer3 = stage(2 * width, 4 * width, 2)
        self.layer4 = stage(4 * width, 8 * width, 2)
        self.fc = nn.Linear(8 * width, n_classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer2(self.layer1(x))
        x = self.layer4(self.layer3(x))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def train(net, batches, n_epochs, lr, weight_decay):
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum=0.9, nesterov=True, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_epochs * len(batches))
    losses = []
    for epoch in range(n_epochs):
        for x, y in batches:
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {losses[-1]:.3f}")
    return losses


@torch.no_grad()
def accuracy(net, batches):
    net.eval()
    correct = [net(x).argmax(1) == y for x, y in batches]
    return torch.cat(correct).float().mean().item()


def images(train, quick, transform):
    if quick:
        return FakeData(100 if train else 50, (3, 32, 32), transform=transform)
    return CIFAR10("datasets", train, transform)


def main(quick):
    torch.manual_seed(0)
    scale = transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    augment = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    training = images(True, quick, transforms.Compose([*augment, transforms.ToTensor(), scale]))
    test = images(False, quick, transforms.Compose([transforms.ToTensor(), scale]))
    net = ResNet18(64, 10)
    train(net, DataLoader(training, 50, shuffle=True), 2 if quick else 30, 0.05, 5e-4)
    print("score", accuracy(net, DataLoader(test, 100)))


if __name__ == "__main__":
    main("--quick" in sys.argv)
