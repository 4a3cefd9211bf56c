"""Peers with PyTorch, double precision: Adam, starts side by side as one batch, and L-BFGS."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import torch
from teachers.peers import Watch

from deep.contest import Contestant, Outcome, restarts
from deep.models import Model
from deep.problems import Problem

RATES = (0.003, 0.01, 0.03)
STARTS = 4  # side by side with each rate, as many as cost little more than one
CHECK_INTERVAL = 25


def errors(layers: list[torch.Tensor], inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Networks x outputs x samples, for layers [W b] as networks x units x (sources + 1)."""
    values = inputs
    for number, layer in enumerate(layers, start=1):
        values = layer[..., :-1] @ values + layer[..., -1:]
        if number < len(layers):
            values = torch.relu(values)
    return values - targets


def adam(problem: Problem, limit: float) -> Outcome:
    """STARTS starts with each rate, all at once; rates fall like a cosine to zero at the end of the time."""
    begin = time.process_time()
    model = Model(problem)
    inputs, targets = torch.from_numpy(problem.inputs), torch.from_numpy(problem.targets)
    vectors = [model.start(np.random.default_rng([problem.seed, start])) for start in range(STARTS)]
    parts = [np.stack(part) for part in zip(*(model.split(vector) for vector in vectors))]
    groups = [[torch.tensor(part, requires_grad=True) for part in parts] for _ in RATES]
    optimizer = torch.optim.Adam([{"params": group, "lr": rate} for group, rate in zip(groups, RATES)], fused=True)
    lowest, best = math.inf, vectors[0]
    for step in itertools.count():
        optimizer.zero_grad()
        layers = [torch.cat(tensors) for tensors in zip(*groups)]
        squares = errors(layers, inputs, targets).square().sum(dim=(1, 2))
        if step % CHECK_INTERVAL == 0:
            used = (time.process_time() - begin) / limit
            number = int(squares.detach().argmin())
            if squares[number] < lowest:
                lowest = float(squares[number].detach())
                best = np.concatenate([layer[number].detach().numpy().ravel() for layer in layers])
            if used >= 1 or lowest <= problem.goal:
                break
            for group, rate in zip(optimizer.param_groups, RATES):
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * used))
        # A sum over networks, so that each has the gradient of its own mean squared error.
        (squares.sum() / targets.numel()).backward()
        optimizer.step()
    return Outcome(model.network(best), STARTS, time.process_time() - begin)


def quasi_newton(model: Model, start: np.ndarray, watch: Watch) -> None:
    problem = model.problem
    inputs, targets = torch.from_numpy(problem.inputs), torch.from_numpy(problem.targets)
    layers = [torch.tensor(part, requires_grad=True) for part in model.split(start)]
    optimizer = torch.optim.LBFGS(
        layers, max_iter=500, history_size=20, line_search_fn="strong_wolfe",
        tolerance_grad=1e-12, tolerance_change=1e-14,
    )  # fmt: skip

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        squares = errors(layers, inputs, targets).square().sum()
        watch.see(np.concatenate([layer.detach().numpy().ravel() for layer in layers]), float(squares.detach()))
        loss = squares / targets.numel()
        loss.backward()
        return loss

    optimizer.step(closure)


CONTESTANTS = [Contestant("Adam, PyTorch", adam), Contestant("L-BFGS, PyTorch", restarts(quasi_newton))]
