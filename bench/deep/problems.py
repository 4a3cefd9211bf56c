"""Teachers with several hidden layers, students that may be wider, and the measure by which all are judged."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

EXACT_RESIDUAL = 1e-9  # relative residual on the training data that counts as an exact fit, for everyone

Layers = list[tuple[np.ndarray, np.ndarray]]  # weights (units x sources) and bias (units,) from the first layer on

TEACHERS = {"4-6-6-2": 200, "3-4-4-4-1": 300}  # widths and samples


@dataclass(frozen=True)
class Kind:
    """A teacher, and students whose hidden layers have `factor` times its width."""

    teacher: tuple[int, ...]
    factor: int

    @property
    def name(self) -> str:
        return "-".join(map(str, self.teacher)) + f"x{self.factor}"

    @property
    def samples(self) -> int:
        return TEACHERS["-".join(map(str, self.teacher))]

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the student, inputs and outputs included."""
        first, *hidden, last = self.teacher
        return (first, *(self.factor * width for width in hidden), last)

    @property
    def title(self) -> str:
        return f"{'-'.join(map(str, self.teacher))}, N = {self.samples}, students {'-'.join(map(str, self.widths))}"


@dataclass(frozen=True)
class Problem:
    kind: Kind
    seed: int
    inputs: np.ndarray  # inputs x samples
    targets: np.ndarray  # outputs x samples

    def residual(self, layers: Layers) -> float:
        """Relative residual of the plain network on the raw training data, infinite where it is not finite."""
        residual = np.linalg.norm(outputs(layers, self.inputs) - self.targets) / np.linalg.norm(self.targets)
        return float(residual) if np.isfinite(residual) else float("inf")

    @property
    def goal(self) -> float:
        """Sum of squared errors at which a contestant may stop: a little below what success asks."""
        return float((0.5 * EXACT_RESIDUAL * np.linalg.norm(self.targets)) ** 2)


def outputs(layers: Layers, inputs: np.ndarray) -> np.ndarray:
    """Outputs x samples: ReLU hidden layers, linear output."""
    values = inputs
    for number, (weights, bias) in enumerate(layers, start=1):
        values = weights @ values + bias[:, None]
        if number < len(layers):
            values = np.maximum(values, 0)
    return values


def kind_named(name: str) -> Kind:
    """Such as 4-6-6-2x1: a teacher, and how many times as wide its students are. Raises ValueError for another."""
    teacher, _, factor = name.partition("x")
    if teacher not in TEACHERS or not re.fullmatch("[1-9]", factor):
        raise ValueError(f"'{name}', expected {' or '.join(TEACHERS)}, then x1 for students of its width, x2 for twice")
    return Kind(tuple(map(int, teacher.split("-"))), int(factor))


def draw(kind: Kind, seed: int) -> Problem:
    """All weights .5 randn, layer by layer, then all biases .1 randn, then inputs randn."""
    rng = np.random.default_rng(seed)
    pairs = list(zip(kind.teacher, kind.teacher[1:]))
    weights = [0.5 * rng.standard_normal((units, sources)) for sources, units in pairs]
    biases = [0.1 * rng.standard_normal(units) for _, units in pairs]
    inputs = rng.standard_normal((kind.teacher[0], kind.samples))
    return Problem(kind, seed, inputs, outputs(list(zip(weights, biases)), inputs))
