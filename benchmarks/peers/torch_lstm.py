"""The network of lesson 05 in PyTorch, with ``torch.nn.LSTM``: for whoever has it installed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

PAD = 0


class LanguageModel(torch.nn.Module):
    """One-hot → LSTM² → softmax. weights: those of Keras' model, layer by layer; rate, decay: of AdamW."""

    def __init__(self, weights: Sequence[np.ndarray], rate: float, decay: float, dropout: float) -> None:
        super().__init__()
        *lstm, kernel, _ = weights
        self.symbols, units = kernel.shape[1], kernel.shape[0]
        self.lstm = torch.nn.LSTM(self.symbols, units, len(lstm) // 3, batch_first=True, dropout=dropout)
        self.dense, self.dropout = torch.nn.Linear(*kernel.shape), dropout
        # Keras has one bias a layer, PyTorch two; the gates stand in the same order.
        parts = [part for i in range(0, len(lstm), 3) for part in (*lstm[i : i + 3], np.zeros_like(lstm[i + 2]))]
        with torch.no_grad():
            for parameter, value in zip(self.parameters(), [*parts, *weights[-2:]], strict=True):
                parameter.copy_(torch.from_numpy(np.array(value.T)))
        self.optimizer = torch.optim.AdamW(self.parameters(), rate, weight_decay=decay)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(functional.one_hot(numbers, self.symbols).float())
        return self.dense(functional.dropout(hidden, self.dropout, self.training))

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One training step on int (batch, steps); returns the loss before it, in nats a token."""
        x, y = (torch.from_numpy(numbers).long() for numbers in (x, y))
        loss = functional.cross_entropy(self(x).flatten(0, 1), y.flatten(), ignore_index=PAD)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()
