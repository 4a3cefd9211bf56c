"""Peers with PyTorch, double precision: Adam, many starts at once as one batch, and L-BFGS."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import numpy as np
import torch

from teachers.contest import Attempt, Contestant, Ended
from teachers.models import Model
from teachers.problems import Problem

STEPS = 5000
CHECK_INTERVAL = 25
RATES = (0.003, 0.01, 0.03)


class Batch:
    """Networks of one problem side by side, in groups of (starts, rows, columns) tensors."""

    def __init__(self, problem: Problem, starts: Sequence[int], groups: int = 1):
        self.model = Model(problem)
        self.inputs, self.targets = torch.from_numpy(self.model.inputs), torch.from_numpy(problem.targets)
        vectors = [self.model.start(np.random.default_rng([problem.seed, start])) for start in starts]
        parts = [self.model.split(vector) for vector in vectors]
        count = 1 if self.model.fixed else 3
        self.groups = [
            [torch.tensor(np.stack([part[i] for part in parts]), requires_grad=True) for i in range(count)]
            for _ in range(groups)
        ]
        self.best = [torch.cat(tensors).detach() for tensors in zip(*self.groups, strict=True)]
        self.lowest = torch.full((groups * len(parts),), torch.inf, dtype=torch.float64)

    def errors(self) -> torch.Tensor:
        self.joined = [torch.cat(tensors) for tensors in zip(*self.groups, strict=True)]
        hidden = self.joined[0]
        active = torch.relu(hidden.flatten(0, 1) @ self.inputs).unflatten(0, hidden.shape[:2])
        if self.model.fixed:
            outputs = active.sum(dim=1, keepdim=True)
        else:
            outputs = torch.baddbmm(self.joined[2], self.joined[1], active)
        return (torch.relu(outputs) if self.model.relu_output else outputs) - self.targets

    def keep_best(self, errors: torch.Tensor) -> bool:
        """Of the parameters that gave these errors, the last computed. Whether every start has reached the goal in some
        group."""
        with torch.no_grad():
            squared = errors.square().sum(dim=(1, 2))
            better = squared < self.lowest
            self.lowest[better] = squared[better]
            for best, joined in zip(self.best, self.joined, strict=True):
                best[better] = joined[better]
            lowest = self.lowest.reshape(len(self.groups), -1).min(dim=0).values
            return bool((lowest <= self.model.problem.goal).all())

    def attempts(self, processor: float, wall: float) -> list[Attempt]:
        """The best of the groups for every start."""
        lowest = self.lowest.reshape(len(self.groups), -1)
        starts = lowest.shape[1]
        chosen = lowest.argmin(dim=0) * starts + torch.arange(starts)
        vectors = torch.cat([best[chosen].reshape(starts, -1) for best in self.best], dim=1).numpy()
        cost = (time.process_time() - processor) / starts, (time.perf_counter() - wall) / starts
        return [Attempt(self.model.network(vector), *cost) for vector in vectors]


def adam(problem: Problem, starts: Sequence[int], limit: float) -> list[Attempt]:
    """A start is three runs side by side, one per rate; their best network counts. Small networks cost little more
    together than one alone."""
    wall, processor = time.perf_counter(), time.process_time()
    batch = Batch(problem, starts, groups=len(RATES))
    groups = [{"params": group, "lr": rate} for group, rate in zip(batch.groups, RATES, strict=True)]
    optimizer = torch.optim.Adam(groups, fused=True)
    for step in range(STEPS):
        optimizer.zero_grad()
        errors = batch.errors()
        over = step % CHECK_INTERVAL == 0 and time.process_time() - processor > limit * len(starts)
        if over or (step % CHECK_INTERVAL == 0 and batch.keep_best(errors)):
            break
        # A sum over networks, so that each has the gradient of its own mean squared error.
        (errors.square().sum() / problem.targets.size).backward()
        optimizer.step()
    batch.keep_best(batch.errors())
    return batch.attempts(processor, wall)


def quasi_newton(problem: Problem, starts: Sequence[int], limit: float) -> list[Attempt]:
    wall, processor = time.perf_counter(), time.process_time()
    batch = Batch(problem, starts)
    optimizer = torch.optim.LBFGS(
        batch.groups[0], max_iter=500, history_size=20, line_search_fn="strong_wolfe",
        tolerance_grad=1e-12, tolerance_change=1e-14,
    )  # fmt: skip

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        errors = batch.errors()
        if batch.keep_best(errors) or time.process_time() - processor > limit:
            raise Ended
        loss = errors.square().sum() / problem.targets.size
        loss.backward()
        return loss

    with contextlib.suppress(Ended):
        optimizer.step(closure)
    return batch.attempts(processor, wall)


def worthwhile_batch(problem: Problem) -> int:
    """As many starts as cost little more than one."""
    return max(1, min(10, 10000 // (problem.widths[1] * problem.kind.samples)))


CONTESTANTS = [
    Contestant("Adam, PyTorch, best of 3 rates", adam, batch=worthwhile_batch, most_problems=6),
    Contestant("L-BFGS, PyTorch", quasi_newton),
]
