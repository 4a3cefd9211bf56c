"""Adam and L-BFGS within a given processor time, in which the starts are included."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from teachers.contest import Ended
from teachers.problems import Network

from warm_start.networks import Objective, pack, unpack
from warm_start.starts import Start
from warm_start.tasks import Task

RATES = (0.003, 0.01, 0.03)
CHECK_INTERVAL = 10


class Record:
    """Processor time used, and the best networks so far with the times at which they were found."""

    def __init__(self, task: Task, networks: int = 1):
        self.task = task
        self.spent = 0.0  # before `begin`
        self.begin = time.process_time()
        self.lowest = torch.full((networks,), torch.inf, dtype=torch.float64)
        self.best: list[torch.Tensor] = []
        self.curve: list[tuple[float, float]] = []  # seconds, lowest level of all networks

    def charge(self, seconds: float) -> None:
        """A start that was made before this record began."""
        self.spent += seconds

    @property
    def seconds(self) -> float:
        return self.spent + time.process_time() - self.begin

    @property
    def level(self) -> float:
        """Infinite before the first call of `keep`."""
        return self.curve[-1][1] if self.curve else float("inf")

    def keep(self, objectives: torch.Tensor, parts: Sequence[torch.Tensor]) -> bool:
        """Whether the arm ends: time over, or goal reached."""
        better = objectives < self.lowest
        if better.any():
            if not self.best:
                self.best = [part.detach().clone() for part in parts]
            self.lowest = torch.where(better, objectives, self.lowest)
            for best, part in zip(self.best, parts, strict=True):
                best[better] = part.detach()[better]
            level = self.task.level(self.lowest.min().item())
            if level < self.level:
                self.curve.append((self.seconds, level))
        return self.seconds > self.task.budget or self.level <= self.task.goal

    def network(self) -> Network:
        index = int(self.lowest.argmin())
        return unpack([part[index].numpy() for part in self.best])


def tensors(task: Task, networks: Sequence[Network]) -> list[torch.Tensor]:
    packed = [pack(network, task.fixed_output) for network in networks]
    # Copies row by row: L-BFGS flattens gradients without copying.
    return [torch.tensor(np.stack(parts).copy(order="C"), requires_grad=True) for parts in zip(*packed, strict=True)]


def adam(task: Task, starts: Sequence[Start], rates: Sequence[float]) -> Record:
    """One run for every start and rate, side by side; what the starts cost is charged."""
    objective = Objective(task)
    record = Record(task, len(starts) * len(rates))
    record.charge(sum(start.seconds for start in starts))
    groups = [tensors(task, [start.network for start in starts]) for _ in rates]
    optimizer = torch.optim.Adam(
        [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)], fused=True
    )
    step = 0
    while True:
        parts = [torch.cat(group) if len(rates) > 1 else group[0] for group in zip(*groups, strict=True)]
        optimizer.zero_grad()
        objectives = objective(parts)
        if step % CHECK_INTERVAL == 0 and record.keep(objectives.detach(), parts):
            return record
        objectives.sum().backward()
        optimizer.step()
        step += 1


def quasi_newton(task: Task, first: Start, restart: Callable[[int], Start]) -> tuple[Record, list[float]]:
    """L-BFGS with strong Wolfe line searches. A descent that ends before the time is over is followed by another from
    start 1, 2, ..., where as much time is left as the first start took. With the levels of the single descents."""
    objective = Objective(task)
    record = Record(task)
    record.charge(first.seconds)
    tolerances = (1e-12, 1e-14) if task.loss == "fit" else (1e-7, 1e-9)  # those of bench/teachers, and the defaults
    ended: list[float] = []
    start = first
    while True:
        parts = tensors(task, [start.network])
        optimizer = torch.optim.LBFGS(
            parts, max_iter=1000000, history_size=20, line_search_fn="strong_wolfe",
            tolerance_grad=tolerances[0], tolerance_change=tolerances[1],
        )  # fmt: skip
        lowest, over = float("inf"), False

        def closure(optimizer=optimizer, parts=parts) -> torch.Tensor:
            nonlocal lowest, over
            optimizer.zero_grad()
            value = objective(parts)
            lowest = min(lowest, value.item())  # keeps `lowest` where the value is not a number
            over = record.keep(value.detach(), parts)
            if over or not np.isfinite(value.item()):
                raise Ended
            loss = value.sum()
            loss.backward()
            return loss

        with contextlib.suppress(Ended):
            optimizer.step(closure)
        ended.append(task.level(lowest))
        if over or record.seconds + first.seconds > task.budget:
            return record, ended
        start = restart(len(ended))
