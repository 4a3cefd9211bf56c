"""Constraints that name a class, through the estimator: probabilities, not scores."""

from __future__ import annotations

import numpy as np
import pytest
from relufit import ReluClassifier, core


def labelled(classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    X = random.standard_normal((150, 2))
    scores = X @ random.standard_normal((2, classes)) + 0.5 * random.standard_normal((150, classes))
    return X, np.array(["low", "middle", "high"])[:classes][scores.argmax(axis=1)]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("direction", ["increasing", "decreasing"])
def test_the_probability_never_falls(classes: int, direction: str) -> None:
    X, y = labelled(classes)
    wanted = {"monotone": [{"input": "x0", "target": "class=low", "direction": direction}]}
    estimator = ReluClassifier(hidden=(4,), constraints=wanted, random_state=0).fit(X, y)
    column = list(estimator.classes_).index("low")
    random = np.random.default_rng(8)
    points = 3 * random.standard_normal((20_000, 2))
    moved = points + [1, 0] * (2 * random.random((len(points), 1)))
    grid = np.column_stack([np.linspace(-6, 6, 5000), np.full(5000, 0.3)])
    sign = 1 if direction == "increasing" else -1
    change = estimator.predict_proba(moved)[:, column] - estimator.predict_proba(points)[:, column]
    along = np.diff(estimator.predict_proba(grid)[:, column])
    assert (sign * change).min() >= -1e-12 and (sign * along).min() >= -1e-12
    (check,) = core.check_constraints(core.load_constraints(wanted), estimator.model_)
    assert check.name == f"monotone[0]: P(class=low) {direction} in x0" and check.holds and check.slack >= 0


def test_bounds_on_probabilities_hold_as_they_are_predicted() -> None:
    X, y = labelled(2)
    bounds = {"outputs": [{"target": "class=low", "lower": 0.15, "upper": 0.8}]}
    estimator = ReluClassifier(hidden=(4,), constraints=bounds, random_state=0).fit(X, y)
    given = estimator.predict_proba(X)[:, list(estimator.classes_).index("low")]
    assert 0.15 <= given.min() < 0.16 and 0.79 < given.max() <= 0.8


def test_demands_that_no_probabilities_meet() -> None:
    X, y = labelled(2)
    both = [{"input": "x0", "target": f"class={name}", "direction": "increasing"} for name in ("low", "middle")]
    with pytest.raises(ValueError, match="class=middle in x0 contradicts"):
        ReluClassifier(hidden=(4,), constraints={"monotone": both}).fit(X, y)
