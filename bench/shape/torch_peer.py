"""Lipschitz monotone networks of Nolte, Kitouni and Williams (2023), as their package monotonicnetworks has them.

Three layers of norm-constrained weights with GroupSort between, plus the Lipschitz constant times the sum of the
inputs with a direction, as in the package's examples; Adam with a rate that falls to zero. Inputs are standardized, the
targets of a regression too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monotonicnetworks import GroupSort, LipschitzLinear, MonotonicWrapper
from sklearn.base import BaseEstimator

UNITS, STEPS, RATE, BATCH = 16, 1000, 0.01, 256


class LipschitzMonotone(BaseEstimator):
    def __init__(self, directions: Sequence[int], classes: bool, bound: float, seed: int) -> None:
        self.directions, self.classes, self.bound, self.seed = directions, classes, bound, seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> LipschitzMonotone:
        torch.manual_seed(self.seed)
        self.classes_ = np.array([0, 1])
        self.shift_, self.scale_ = X.mean(axis=0), X.std(axis=0) + 1e-12
        self.level_, self.size_ = (0.0, 1.0) if self.classes else (y.mean(), y.std())
        inputs = torch.from_numpy((X - self.shift_) / self.scale_).float()
        targets = torch.from_numpy((y - self.level_) / self.size_).float()[:, None]
        self.network_ = MonotonicWrapper(
            torch.nn.Sequential(
                LipschitzLinear(X.shape[1], UNITS, kind="one-inf", lipschitz_const=self.bound),
                GroupSort(UNITS // 2),
                LipschitzLinear(UNITS, UNITS, kind="inf"),
                GroupSort(UNITS // 2),
                LipschitzLinear(UNITS, 1, kind="inf"),
            ),
            lipschitz_const=self.bound,
            monotonic_constraints=list(self.directions),
        )
        loss = torch.nn.BCEWithLogitsLoss() if self.classes else torch.nn.MSELoss()
        optimizer = torch.optim.Adam(self.network_.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            rows = torch.randint(len(inputs), (BATCH,))
            optimizer.zero_grad()
            loss(self.network_(inputs[rows]), targets[rows]).backward()
            optimizer.step()
            schedule.step()
        return self

    def _outputs(self, X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            inputs = torch.from_numpy((X - self.shift_) / self.scale_).float()
            return self.network_(inputs)[:, 0].double().numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        outputs = self._outputs(X)
        return (outputs > 0).astype(int) if self.classes else self.level_ + self.size_ * outputs

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        probability = 1 / (1 + np.exp(-self._outputs(X)))
        return np.column_stack([1 - probability, probability])
