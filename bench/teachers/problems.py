"""The problems A to F: recipe of the draws, and the measures by which everyone's networks are judged."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

PEER_RESIDUAL = 1e-4  # relative residual on the training data, for peers
EXACT_RESIDUAL = 1e-9  # the same, for relufit
FRESH_LOSS = 1e-4  # half mean squared error on fresh inputs, for everyone on F
FRESH_INPUTS = 4000


@dataclass(frozen=True)
class Network:
    """One hidden layer of ReLU units: shapes (n1, n0), (n1,), (n2, n1), (n2,)."""

    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: np.ndarray

    def __call__(self, inputs: np.ndarray, relu_output: bool) -> np.ndarray:
        """Outputs (n2 x samples) for inputs (n0 x samples)."""
        outputs = self.w2 @ np.maximum(self.w1 @ inputs + self.b1[:, None], 0) + self.b2[:, None]
        return np.maximum(outputs, 0) if relu_output else outputs


@dataclass(frozen=True)
class Kind:
    """What the problems of one letter have in common."""

    name: str
    widths: tuple[int, int, int]
    samples: int
    relu_output: bool
    budget: float  # processor seconds of a contestant on one problem, unless asked otherwise
    fixed_output: bool = False  # F: output weights are ones, and there are no biases

    @property
    def title(self) -> str:
        form = (
            "output weights ones, no biases" if self.fixed_output else "ReLU output" if self.relu_output else "linear"
        )
        return f"{self.name}: {'-'.join(map(str, self.widths))}, {form}, N = {self.samples}"


@dataclass(frozen=True)
class Problem:
    kind: Kind
    seed: int
    inputs: np.ndarray  # n0 x samples
    targets: np.ndarray  # n2 x samples, without outputs that are zero at every sample
    dead_outputs: int = 0  # how many those are
    fresh_inputs: np.ndarray | None = None  # F only
    fresh_targets: np.ndarray | None = None

    @property
    def widths(self) -> tuple[int, int, int]:
        return self.kind.widths[0], self.kind.widths[1], len(self.targets)

    @property
    def goal(self) -> float:
        """Sum of squared errors on the training data at which peers may stop; on F a quarter of what success asks."""
        if self.kind.fixed_output:
            return 0.5 * FRESH_LOSS * self.targets.size
        return float((PEER_RESIDUAL * np.linalg.norm(self.targets)) ** 2)

    def residual(self, network: Network) -> float:
        """Relative residual of the plain network on the training data, infinite where it is not finite."""
        errors = network(self.inputs, self.kind.relu_output) - self.targets
        residual = np.linalg.norm(errors) / np.linalg.norm(self.targets)
        return float(residual) if np.isfinite(residual) else float("inf")

    def solved_by(self, network: Network, residual: float = PEER_RESIDUAL) -> bool:
        """A to E: whether the training data are fitted to `residual`. F: the loss on fresh inputs decides, and with a
        `residual` below that of peers the training data too."""
        if self.fresh_inputs is None:
            return self.residual(network) <= residual
        errors = network(self.fresh_inputs, False) - self.fresh_targets
        generalizes = bool(0.5 * np.mean(errors**2) < FRESH_LOSS)
        return generalizes and (residual == PEER_RESIDUAL or self.residual(network) <= residual)


KINDS = [
    Kind("A", (3, 3, 2), 30, True, 1),
    Kind("B", (3, 5, 3), 30, True, 1),
    Kind("C", (3, 3, 2), 30, False, 1),
    Kind("D", (5, 5, 2), 60, False, 1),
    Kind("E", (10, 10, 1), 300, False, 2),
]


def kind_named(name: str) -> Kind:
    """A to E, or F and a width (F10). Raises ValueError for another name."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    if re.fullmatch("F[1-9][0-9]*", name):
        width = int(name[1:])
        return Kind(name, (width, width, 1), 5 * width**2, False, 0.2 * width, fixed_output=True)
    raise ValueError(f"--problems: '{name}', expected A, B, C, D, E, or F and a width such as F10")


def draw(kind: Kind, seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    n0, n1, n2 = kind.widths
    if kind.fixed_output:
        # The teacher's rows are orthonormal; inputs are isotropic, so they may be the unit vectors.
        inputs, fresh = rng.standard_normal((n0, kind.samples)), rng.standard_normal((n0, FRESH_INPUTS))
        targets, fresh_targets = (np.maximum(u, 0).sum(axis=0, keepdims=True) for u in (inputs, fresh))
        return Problem(kind, seed, inputs, targets, fresh_inputs=fresh, fresh_targets=fresh_targets)
    w1, w2 = 0.5 * rng.standard_normal((n1, n0)), 0.5 * rng.standard_normal((n2, n1))
    b1, b2 = 0.1 * rng.standard_normal(n1), 0.1 * rng.standard_normal(n2)
    inputs = rng.standard_normal((n0, kind.samples))
    targets = Network(w1, b1, w2, b2)(inputs, kind.relu_output)
    alive = targets.any(axis=1)
    return Problem(kind, seed, inputs, targets[alive], dead_outputs=int(n2 - alive.sum()))
