"""What the arms train on: the problems A to F of bench/teachers, and the bundled data sets, standardized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from classification import DATA, read_data
from teachers.problems import PEER_RESIDUAL, Problem, draw, kind_named

RIDGE = 0.003  # relufit's default, in the objective of every arm on the data sets
HELD_OUT = 0.2  # of the rows of a data set

# Processor seconds of an arm, the start included: what 1000 iterations of the relaxation take, and some more.
BUDGETS = {
    "A": 1, "B": 1, "C": 1, "D": 1, "E": 2, "F6": 1, "F10": 3,
    "diabetes": 2.5, "wine": 2, "iris": 2, "breast_cancer": 5.5, "digits": 8,
}  # fmt: skip
CURVE_POINTS = 40


def curve_times(name: str) -> np.ndarray:
    """Processor seconds at which the level of an arm is kept: from a 400th of the budget to all of it, each 1.17 times
    the one before."""
    return BUDGETS[name] * np.geomspace(1 / 400, 1, CURVE_POINTS)


@dataclass(frozen=True)
class Task:
    """One training problem, in units that all arms share.

    `loss` is "fit" (mean squared error; level: relative residual), "squared" or "cross-entropy" (mean of half squared
    errors, or of -log of the probability of the class, plus RIDGE / 2 times the sum of squared weights, biases free;
    level: the same). Targets are (outputs x samples), or the positions of classes (samples,).
    """

    name: str
    seed: int
    loss: str
    inputs: np.ndarray  # n0 x samples
    targets: np.ndarray
    widths: tuple[int, int, int]
    problem: Problem | None = None  # A to F
    held_out_inputs: np.ndarray | None = None  # data sets
    held_out_targets: np.ndarray | None = None

    @property
    def budget(self) -> float:
        return BUDGETS[self.name]

    @property
    def relu_output(self) -> bool:
        return self.problem is not None and self.problem.kind.relu_output

    @property
    def fixed_output(self) -> bool:
        return self.problem is not None and self.problem.kind.fixed_output

    def level(self, objective: float) -> float:
        """What is reported of an objective."""
        if self.loss != "fit":
            return objective
        return float(np.sqrt(objective * self.targets.size) / np.linalg.norm(self.targets))

    @property
    def goal(self) -> float:
        """The level at which an arm may stop; 0 on the data sets."""
        if self.problem is None:
            return 0.0
        return PEER_RESIDUAL if not self.fixed_output else self.level(self.problem.goal / self.targets.size)


def make_task(name: str, seed: int) -> Task:
    """`name`: A to E, F and a width, or a file in data/."""
    if name not in DATA and name != "diabetes":
        problem = draw(kind_named(name), seed)
        return Task(name, seed, "fit", problem.inputs, problem.targets, problem.widths, problem)
    _, rows = read_data(name)
    order = np.random.default_rng([seed, 1]).permutation(len(rows))
    first = round(HELD_OUT * len(rows))
    test, train = order[:first], order[first:]
    inputs = standardized(np.array([row[:-1] for row in rows], dtype=float), train).T
    if name == "diabetes":
        targets = standardized(np.array([[row[-1]] for row in rows], dtype=float), train).T
        loss, hidden, outputs = "squared", 10, 1
    else:
        classes, targets = np.unique([row[-1] for row in rows], return_inverse=True)
        loss, hidden, outputs = "cross-entropy", DATA[name], len(classes)
    return Task(
        name, seed, loss, inputs[:, train], targets[..., train], (len(inputs), hidden, outputs),
        held_out_inputs=inputs[:, test], held_out_targets=targets[..., test],
    )  # fmt: skip


def standardized(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1 over `rows`; constant columns are centered only."""
    deviation = table[rows].std(axis=0)
    return (table - table[rows].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
