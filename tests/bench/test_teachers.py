"""bench/teachers: the problems, what peers minimize, the judge, the estimates, and relufit's run on one problem."""

from __future__ import annotations

import csv
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "bench"))

from teachers import relufit_runs  # noqa: E402
from teachers.contest import Attempt, Contestant, race  # noqa: E402
from teachers.estimates import Interval, ratio_to_best, success_share, time_to_success  # noqa: E402
from teachers.models import Model  # noqa: E402
from teachers.problems import Network, Problem, draw, kind_named  # noqa: E402
from teachers.report import Row  # noqa: E402


@pytest.mark.parametrize(("seed", "dead"), [(0, 0), (1, 1)])
def test_draws_are_the_public_instances(seed: int, dead: int) -> None:
    with open(REPOSITORY / "tests" / "data" / "teachers_A.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["seed"] == str(seed)]
    inputs = np.array([[float(row[f"u{i}"]) for row in rows] for i in range(3)])
    targets = np.array([[float(row[f"y{i}"]) for row in rows] for i in range(2)])
    problem = draw(kind_named("A"), seed)
    assert problem.dead_outputs == dead
    np.testing.assert_array_equal(problem.inputs, inputs)
    # Rounding of matrix products differs between builds of NumPy.
    np.testing.assert_allclose(problem.targets, targets[targets.any(axis=1)], rtol=0, atol=1e-14)


def test_names_of_problems() -> None:
    assert kind_named("F7").samples == 245
    for name in ("G", "F", "F0", "a", ""):
        with pytest.raises(ValueError, match=f"'{name}'"):
            kind_named(name)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("name", ["B", "D", "F4"])
def test_derivatives_of_the_model(name: str, one_sided: bool) -> None:
    model = Model(draw(kind_named(name), 2), one_sided)
    parameters = model.start(np.random.default_rng(0))
    residuals = model.residuals(parameters)
    jacobian = model.jacobian_transposed(parameters).copy()
    gradient = model.gradient(parameters, residuals)
    steps = 1e-6 * np.eye(model.size)
    differences = np.array([model.residuals(parameters + step) - model.residuals(parameters - step) for step in steps])
    # Piecewise quadratic: central differences are exact but for rounding, 1e-16 / 1e-6.
    np.testing.assert_allclose(jacobian, differences / 2e-6, rtol=0, atol=1e-8)
    np.testing.assert_allclose(gradient, jacobian @ residuals, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["B", "D", "F4"])
def test_residuals_of_the_model_are_those_of_its_network(name: str) -> None:
    problem = draw(kind_named(name), 2)
    model = Model(problem)
    parameters = model.start(np.random.default_rng(1))
    outputs = model.network(parameters)(problem.inputs, problem.kind.relu_output)
    np.testing.assert_allclose(model.residuals(parameters), (outputs - problem.targets).ravel(), rtol=0, atol=1e-13)


def small_problem(network: Network) -> Problem:
    inputs = np.random.default_rng(3).standard_normal((2, 20))
    return Problem(replace(kind_named("C"), widths=(2, 2, 1), samples=20), 3, inputs, network(inputs, False))


TEACHER = Network(np.array([[1.0, -0.5], [0.3, 0.8]]), np.array([0.1, -0.2]), np.array([[0.7, -1.1]]), np.array([0.4]))


def test_the_judge() -> None:
    problem = small_problem(TEACHER)
    nearly = replace(TEACHER, b2=TEACHER.b2 + 1e-6)
    assert problem.solved_by(TEACHER, 1e-9)
    assert problem.solved_by(nearly)
    assert not problem.solved_by(nearly, 1e-9)
    assert not problem.solved_by(replace(TEACHER, b2=np.array([np.nan])))


def test_the_judge_of_fixed_outputs_asks_for_fresh_inputs() -> None:
    problem = draw(kind_named("F3"), 5)
    teacher = Network(np.eye(3), np.zeros(3), np.ones((1, 3)), np.zeros(1))
    assert problem.solved_by(teacher, 1e-9)
    assert not problem.solved_by(replace(teacher, b2=np.array([0.02])))  # half of its square: 2e-4
    assert problem.solved_by(replace(teacher, b2=np.array([0.01])))
    assert not problem.solved_by(replace(teacher, b2=np.array([0.01])), 1e-9)


def test_a_race_ends_with_the_budget_or_the_starts() -> None:
    problem = small_problem(TEACHER)
    wrong = replace(TEACHER, b2=TEACHER.b2 + 1)

    def run(_: Problem, starts: range, __: float) -> list[Attempt]:
        return [Attempt(TEACHER if start % 3 == 0 else wrong, 0.25, 0.5) for start in starts]

    by_budget = race(Contestant("x", run, batch=lambda _: 2), problem, budget=1.0, most_starts=100)
    assert (by_budget.starts, by_budget.solved, by_budget.processor_seconds) == (4, 2, 1.0)
    by_starts = race(Contestant("x", run, batch=lambda _: 2), problem, budget=1.0, most_starts=3)
    assert (by_starts.starts, by_starts.solved, by_starts.wall_seconds) == (3, 1, 1.5)


@pytest.mark.parametrize("solved", [[0, 0], [1, 2], [5, 5]])
def test_share_of_equal_problems_has_the_interval_of_all_starts(solved: list[int]) -> None:
    estimate = success_share(solved, [5, 5])
    expected = binomtest(sum(solved), 10).proportion_ci(method="wilson")
    assert estimate.value == pytest.approx(sum(solved) / 10)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_share_weighs_problems_equally() -> None:
    """Variance of the mean: p (1 - p) (1/100 + 1/2) / 4, that of 7.84 starts."""
    estimate = success_share([100, 1], [100, 2])
    assert estimate.value == 0.75
    below, above = (binomtest(3 * n // 4, n).proportion_ci(method="wilson") for n in (4, 8))
    assert below.low < estimate.low < above.low
    assert above.high < estimate.high < below.high


def test_a_row_weighs_problems_equally() -> None:
    row = Row("x", [10, 0], [10, 2], processor_seconds=[1.0, 3.0], wall_seconds=[2.0, 4.0])
    assert row.median_problem == math.inf
    assert Row("x", [10, 1, 0], [10, 2, 3], [1.0, 3.0, 5.0], [0.0, 0.0, 0.0]).median_problem == 3.0
    assert row.per_start(row.processor_seconds) == pytest.approx(0.8)
    assert row.expected_processor.value == pytest.approx(1.6)
    assert row.expected_wall.value == pytest.approx(2.2)


def test_times_to_success() -> None:
    estimate = success_share([3], [10])
    expected = time_to_success(estimate, 0.6)
    assert expected.value == pytest.approx(2.0)
    assert (expected.low, expected.high) == (0.6 / estimate.high, 0.6 / estimate.low)

    never = time_to_success(success_share([0], [10]), 0.6)
    assert never.value is None
    assert never.low == pytest.approx(0.6 / binomtest(0, 10).proportion_ci(method="wilson").high)
    assert never.high == math.inf


def test_ratio_to_the_best_peer() -> None:
    own = Interval(0.1, 0.08, 0.2)
    unsuccessful, slow, fast = Interval(None, 0.5, math.inf), Interval(9.0, 4.0, 30.0), Interval(2.0, 1.0, 3.0)
    assert ratio_to_best([unsuccessful, slow, fast], own) == Interval(20.0, 5.0, 37.5)
    assert ratio_to_best([unsuccessful], own) == Interval(None, 2.5, math.inf)
    assert ratio_to_best([], own) is None
    assert ratio_to_best([fast], Interval(None, 1.0, math.inf)) is None


@pytest.mark.parametrize("name", ["A", "C", "F5"])
def test_relufit_solves_a_problem(name: str) -> None:
    """Its network, read back from the model file with the scalings folded in, is exact on the raw data."""
    program = REPOSITORY / os.environ.get("RELUFIT_BUILD", "build/release") / "relufit"
    problem = draw(kind_named(name), 0)
    (attempt,) = relufit_runs.contestant(program).run(problem, range(1), 60)
    assert problem.solved_by(attempt.network, 1e-9)
    assert 0 < attempt.training_seconds < attempt.wall_seconds
    assert attempt.startup_processor_seconds > 0
