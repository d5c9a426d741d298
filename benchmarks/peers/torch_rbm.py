"""Contrastive divergence of an RBM in PyTorch, as it is usually written: for whoever has it installed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional


class RBM(torch.nn.Module):
    """weights: W (D, H), b (D,), c (H,), copied. k: Gibbs steps. rate: of plain gradient descent."""

    def __init__(self, weights: Sequence[np.ndarray], k: int, rate: float = 0.01, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.w, self.b, self.c = (torch.nn.Parameter(torch.from_numpy(np.array(part))) for part in weights)
        self.k, self.optimizer = k, torch.optim.SGD(self.parameters(), rate)

    def energy(self, v: torch.Tensor) -> torch.Tensor:
        return -(v @ self.b) - functional.softplus(v @ self.w + self.c).sum(1)

    def step(self, v: torch.Tensor) -> float:
        """One step of CD-k on a batch (batch, D); returns the loss before it."""
        end = v
        with torch.no_grad():
            for _ in range(self.k):
                h = torch.bernoulli(torch.sigmoid(end @ self.w + self.c))
                end = torch.bernoulli(torch.sigmoid(h @ self.w.T + self.b))
        loss = (self.energy(v) - self.energy(end)).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def epoch(self, v: np.ndarray, batch: int) -> None:
        """Every frame once, in random order."""
        frames = torch.from_numpy(v)
        for part in torch.randperm(len(frames)).split(batch):
            self.step(frames[part])
