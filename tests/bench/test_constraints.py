"""bench/constraints.py: violations, projections, and that both sides keep the constraints."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "bench"))

import constraints  # noqa: E402

PROGRAM = REPOSITORY / os.environ.get("RELUFIT_BUILD", "build/release") / "relufit"
TASKS = list(constraints.TASKS)


def random_layers(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    shapes = [(constraints.HIDDEN, 10), (1, constraints.HIDDEN)]
    return [(rng.standard_normal(shape), rng.standard_normal(shape[0])) for shape in shapes]


def projected(task: str, layers: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    weights = [torch.tensor(layer[None]) for layer, _ in layers]
    constraints.projection(task, constraints.read_split(0).names)(weights)
    return [(layer[0].numpy(), bias) for layer, (_, bias) in zip(weights, layers)]


@pytest.mark.parametrize("task", TASKS)
def test_projections_put_networks_on_the_constraints(task: str) -> None:
    names = constraints.read_split(0).names
    layers = random_layers(1)
    assert constraints.violation(task, layers, names) > 0.1
    nearest = projected(task, layers)
    assert constraints.violation(task, nearest, names) == 0
    # Convex sets: a nearest point is its own, and has an obtuse angle to every other point of the set.
    again = projected(task, nearest)
    other = projected(task, random_layers(2))
    for (given, _), (here, _), (same, _), (there, _) in zip(layers, nearest, again, other):
        np.testing.assert_allclose(same, here, rtol=0, atol=1e-10)
        assert np.sum((given - here) * (there - here)) <= 1e-10


def test_monotone_means_what_it_says() -> None:
    """Finite differences along the three inputs, of a network on the constraints and of one that is not."""
    names = constraints.read_split(0).names
    points = np.random.default_rng(4).standard_normal((10, 500))
    falls = []
    for layers in (projected("monotone", random_layers(3)), random_layers(3)):
        change = [
            constraints.outputs(layers, points + 0.1 * np.eye(10)[:, [names.index(name)]])
            - constraints.outputs(layers, points)
            for name in constraints.RISING
        ]
        falls.append(np.min(change))
    assert falls[0] >= -1e-12
    assert falls[1] < -0.01


@pytest.mark.parametrize("task", TASKS)
def test_both_sides_have_no_violation_and_lower_the_objective(task: str) -> None:
    split = constraints.read_split(0)
    options = ["--iterations", "100"]
    nothing = [(np.zeros((constraints.HIDDEN, 10)), np.zeros(constraints.HIDDEN)), (np.zeros((1, 10)), np.zeros(1))]
    for layers, _ in (
        constraints.relufit(PROGRAM, task, split, 0, options),
        constraints.projected_adam(task, split, 0, 1),
    ):
        assert constraints.violation(task, layers, split.names) <= 1e-9
        assert constraints.objective(layers, split) < constraints.objective(nothing, split)


def test_objective_and_held_out_fit_of_the_mean() -> None:
    split = constraints.read_split(1)
    layers = random_layers(5)
    silent = [(0 * layers[0][0], 0 * layers[0][1]), (layers[1][0], np.array([split.test[1].mean()]))]
    ridge = constraints.RIDGE / 2 * np.sum(layers[1][0] ** 2)
    # Standardized targets: variance 1, mean 0.
    assert constraints.objective(silent, split) == pytest.approx(
        0.5 + 0.5 * split.test[1].mean() ** 2 + ridge, abs=1e-12
    )
    assert constraints.held_out_r2(silent, split) == pytest.approx(0, abs=1e-12)
