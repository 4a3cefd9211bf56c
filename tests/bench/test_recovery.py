"""bench/recovery.py: the teachers, the judge, and a race of relufit's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "bench"))

import recovery  # noqa: E402
from teachers import relufit_runs  # noqa: E402
from teachers.problems import Network  # noqa: E402

PROGRAM = REPOSITORY / os.environ.get("RELUFIT_BUILD", "build/release") / "relufit"


@pytest.mark.parametrize("inputs", recovery.INPUTS)
@pytest.mark.parametrize("units", recovery.UNITS)
def test_units_are_not_redundant(inputs: int, units: int) -> None:
    """No two units have the same hyperplane, whichever side of it they look to: fewer units would not do."""
    for seed in (1, 2):
        problem = recovery.draw(inputs, units, seed)
        planes = np.column_stack(recovery.hidden(np.random.default_rng([seed, inputs, units]), inputs, units))
        np.testing.assert_allclose(np.linalg.norm(planes[:, :-1], axis=1), 1)
        likeness = np.abs(planes @ planes.T) / np.outer(*[np.linalg.norm(planes, axis=1)] * 2)
        assert np.max(likeness - np.eye(units)) < 1 - 1e-6
        assert problem.widths == (inputs, units, 1)
        assert problem.fresh_inputs is not None and problem.fresh_inputs.shape == (inputs, recovery.FRESH_INPUTS)
        assert not np.any(np.isin(problem.fresh_inputs[0], problem.inputs[0]))


def test_the_judge_asks_for_both_samples() -> None:
    problem = recovery.draw(2, 2, 1)
    rng = np.random.default_rng([1, 2, 2])
    w1, b1 = recovery.hidden(rng, 2, 2)
    teacher = Network(w1, b1, rng.choice([-1.0, 1.0], (1, 2)), np.zeros(1))
    np.testing.assert_array_equal(teacher(problem.inputs, False), problem.targets)
    assert problem.solved_by(teacher, 1e-9)
    assert not problem.solved_by(Network(w1, b1 + 1e-4, teacher.w2, teacher.b2), 1e-9)


def test_relufit_recovers_a_teacher() -> None:
    record = recovery.race(relufit_runs.contestant(PROGRAM), recovery.draw(4, 4, 1), 5)
    assert record["solved"] and record["teacher"] == "4-4-1"
    assert "| relufit |" in recovery.table([record]) and "1 of 1" in recovery.table([record])
