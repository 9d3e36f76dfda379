"""A small module, saved: what the laws of model backends are tried on."""

from __future__ import annotations

import warnings
from pathlib import Path


def write_example(folder: Path, *, window: int, columns: int) -> Path:
    """``softmax(flatten(rows) W + b)`` with fixed weights, as TorchScript."""
    import torch  # noqa: PLC0415 - heavy

    class Example(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(window * columns, 3)
            with torch.no_grad():
                numbers = torch.arange(self.linear.weight.numel(), dtype=torch.float32)
                self.linear.weight.copy_((torch.sin(numbers) / columns).reshape(3, window * columns))
                self.linear.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.linear(rows.flatten(1)), 1)

    path = folder / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript, and still reads and runs it
        torch.jit.save(torch.jit.trace(Example().eval(), torch.zeros(2, window, columns)), str(path))
    return path
