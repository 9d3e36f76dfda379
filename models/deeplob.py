"""A CNN-LSTM on raw levels, after DeepLOB: Zhang, Zohren and Roberts (2019), "DeepLOB: Deep convolutional neural networks for
limit order books". Half of its width, so that it trains in minutes on one core.

    rows (n, 100, 40): of each level ask price, ask quantity, bid price, bid quantity
"""

from __future__ import annotations

import torch
from torch import nn

WINDOW, COLUMNS, CLASSES = 100, 40, 3
_SLOPE = 0.01  # of leaky rectifiers, as in the paper


def _block(entering: int, leaving: int, across: tuple[int, int], stride: tuple[int, int]) -> nn.Sequential:
    """One convolution across the columns, then two along time, padded to the same length."""
    layers: list[nn.Module] = [nn.Conv2d(entering, leaving, across, stride), nn.LeakyReLU(_SLOPE)]
    for _ in range(2):
        layers += [nn.Conv2d(leaving, leaving, (4, 1), padding="same"), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers)


class DeepLOB(nn.Module):
    """Probabilities of down, flat and up. Inputs are scaled inside: ``fit_scale`` measures the columns of the training rows."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(COLUMNS))
        self.register_buffer("spread", torch.ones(COLUMNS))
        self.levels = nn.Sequential(
            _block(1, width, (1, 2), (1, 2)),  # price and quantity of each side of each level
            _block(width, width, (1, 2), (1, 2)),  # the sides of each level
            _block(width, width, (1, 10), (1, 1)),  # all levels
        )
        self.short = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1), nn.LeakyReLU(_SLOPE), nn.Conv2d(2 * width, 2 * width, (3, 1), padding="same")
        )
        self.long = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1), nn.LeakyReLU(_SLOPE), nn.Conv2d(2 * width, 2 * width, (5, 1), padding="same")
        )
        self.pooled = nn.Sequential(nn.MaxPool2d((3, 1), stride=1, padding=(1, 0)), nn.Conv2d(width, 2 * width, 1))
        self.memory = nn.LSTM(6 * width, 2 * width, batch_first=True)
        self.out = nn.Linear(2 * width, CLASSES)

    def fit_scale(self, rows: torch.Tensor) -> None:
        """Center and spread of every column of ``rows`` (n, 40)."""
        self.center.copy_(rows.mean(0))
        self.spread.copy_(rows.std(0).clamp_min(1e-6))

    def scores(self, rows: torch.Tensor) -> torch.Tensor:
        """Of the classes, before the softmax."""
        scaled = ((rows - self.center) / self.spread).clamp(-5.0, 5.0)
        found = self.levels(scaled.unsqueeze(1))
        found = torch.cat([self.short(found), self.long(found), self.pooled(found)], 1)
        steps = nn.functional.leaky_relu(found, _SLOPE).squeeze(3).transpose(1, 2)
        remembered, _ = self.memory(steps)
        return self.out(remembered[:, -1])

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.scores(rows), 1)
