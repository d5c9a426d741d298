"""MiniBach's training in PyTorch, in the usual way: for whoever has it installed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


class Minibach:
    """The same network, loss, optimiser and methods as in ``numpy_minibach``."""

    def __init__(self, weights: Sequence[np.ndarray], rate: float = 1e-3, epsilon: float = 1e-7) -> None:
        w1, b1, w2, b2 = (torch.from_numpy(np.array(w, np.float32)) for w in weights)
        self.model = torch.nn.Sequential(torch.nn.Linear(*w1.shape), torch.nn.ReLU(), torch.nn.Linear(*w2.shape))
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), (w1.T, b1, w2.T, b2), strict=True):
                parameter.copy_(value)
        self.epsilon, self.steps = epsilon, 0
        self.optimizer = torch.optim.Adam(self.model.parameters(), rate)
        self.loss = torch.nn.BCEWithLogitsLoss()

    @property
    def weights(self) -> list[np.ndarray]:
        """W₁ (inputs, hidden), b₁, W₂ (hidden, outputs), b₂."""
        return [parameter.detach().numpy().T for parameter in self.model.parameters()]

    def step(self, x: torch.Tensor, y: torch.Tensor) -> float:
        """One step of Adam on a batch; returns its loss before the step."""
        self.steps += 1
        # PyTorch adds epsilon after the bias correction, Keras before it; with this they agree.
        group = self.optimizer.param_groups[0]
        group["eps"] = self.epsilon / (1 - group["betas"][1] ** self.steps) ** 0.5
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def epoch(self, x: np.ndarray, y: np.ndarray, batch: int, rng: np.random.Generator) -> float:
        """Every window once, in random order; returns the mean loss of the batches."""
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        parts = torch.from_numpy(rng.permutation(len(x))).split(batch)
        return float(np.mean([self.step(x[part], y[part]) for part in parts]))
