"""Lower bounds of certificates against the convex program over all activation patterns, solved by CVXPY."""

from __future__ import annotations

import itertools

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import linprog

import relufit


def patterns(inputs: np.ndarray, bias: bool) -> list[np.ndarray]:
    """Every sign pattern of x'w + b over the samples that some (w, b) has, each by a linear program."""
    points = np.column_stack([inputs, np.ones(len(inputs))]) if bias else inputs
    found = []
    for signs in itertools.product((1.0, -1.0), repeat=len(points)):
        rows = -np.array(signs)[:, None] * points
        solved = linprog(np.zeros(points.shape[1]), rows, -np.ones(len(points)), bounds=(None, None))
        if solved.status == 0:
            found.append(np.array(signs) > 0)
    return found


def least_objective(
    inputs: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    ridge: float,
    bias: bool = True,
    skip: bool = False,
    logistic: bool = False,
) -> float:
    """The optimum over all widths, one output: sum weights loss(F, y) + ridge sum |w_i v_i| + ridge/2 |skip|^2.

    A unit with the pattern D and output weight 1 (-1) is D X u with (2 D - I) X u >= 0, and costs ridge |u|.
    """
    points = np.column_stack([inputs, np.ones(len(inputs))]) if bias else inputs
    count = inputs.shape[1]
    outputs = cp.Variable() * np.ones(len(inputs)) if bias else np.zeros(len(inputs))
    cost, constraints = 0, []
    if skip:
        linear = cp.Variable(count)
        outputs = outputs + inputs @ linear
        cost = ridge / 2 * cp.sum_squares(linear)
    for pattern, sign in itertools.product(patterns(inputs, bias), (1, -1)):
        unit = cp.Variable(points.shape[1])
        outputs = outputs + sign * cp.multiply(pattern.astype(float), points @ unit)
        constraints.append(cp.multiply(2.0 * pattern - 1, points @ unit) >= 0)
        cost = cost + ridge * cp.norm(unit[:count])
    if logistic:
        loss = cp.sum(cp.multiply(weights, cp.logistic(outputs) - cp.multiply(targets, outputs)))
    else:
        loss = 0.5 * cp.sum_squares(cp.multiply(np.sqrt(weights), outputs - targets))
    return cp.Problem(cp.Minimize(loss + cost), constraints).solve(solver=cp.CLARABEL)


def model_of(rng: np.random.Generator, inputs: int, units: int, bias: bool, skip: bool, ridge: float) -> relufit.Model:
    hidden = (rng.normal(size=(units, inputs)), bias * rng.normal(size=units))
    output = (rng.normal(size=(1, units + skip * inputs)), bias * rng.normal(size=1))
    record = relufit.TrainingRecord()
    record.loss = "squared"
    record.ridge = ridge
    return relufit.Model([hidden, output], skip_connections=skip, training=record)


@pytest.mark.parametrize(
    ("bias", "skip", "weighted"),
    [(True, False, False), (False, False, False), (True, True, False), (True, False, True)],
)
def test_bound_is_the_optimum_of_the_convex_program(bias: bool, skip: bool, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(7, 2))
    targets = np.abs(inputs[:, 0]) - inputs[:, 1] + 0.3 * rng.normal(size=7)
    weights = rng.uniform(0.2, 2, size=7) if weighted else np.ones(7)
    ridge = 0.05
    optimum = least_objective(inputs, targets, weights, ridge * 7, bias, skip)
    model = model_of(rng, 2, 3, bias, skip, ridge)
    options = {"sample_weight": weights if weighted else None, "accuracy": 1e-5}
    plain = relufit.certify(model, inputs, targets, **options)
    assert plain.lower_bound <= optimum * (1 + 1e-7) <= plain.objective
    tight = relufit.certify(model, inputs, targets, tighten=60, **options)  # ends long before
    assert tight.status == "complete"
    assert tight.lower_bound <= optimum * (1 + 1e-7)
    assert tight.objective >= optimum * (1 - 1e-7)
    assert tight.gap <= 2e-3
    assert tight.model.layers[0][0].shape[0] == 3 + tight.units_added


@pytest.mark.parametrize("weighted", [False, True])
def test_bound_of_the_logistic_loss(weighted: bool) -> None:
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(8, 2))
    targets = (np.abs(inputs[:, 0]) + 0.5 * rng.normal(size=8) > 0.6).astype(float)
    weights = rng.uniform(0.2, 2, size=8) if weighted else np.ones(8)
    given = {"sample_weight": weights if weighted else None}
    labels = np.where(targets > 0, "yes", "no")
    model = relufit.train(inputs, labels, [2], loss="logistic", ridge=0.02, **given).model
    offset, scale = model.input_scaling
    optimum = least_objective((inputs - offset) / scale, targets, weights, 0.02 * 8, logistic=True)
    plain = relufit.certify(model, inputs, labels, accuracy=1e-5, **given)
    assert plain.lower_bound <= optimum * (1 + 1e-6) and plain.objective >= optimum * (1 - 1e-6)
    tight = relufit.certify(model, inputs, labels, accuracy=1e-5, tighten=60, **given)  # ends long before
    assert tight.lower_bound <= optimum * (1 + 1e-6) and tight.objective >= optimum * (1 - 1e-6)
    assert tight.status == "complete" and tight.gap <= 5e-3
    with pytest.raises(ValueError, match="'maybe' at sample 1, expected one of the model's classes"):
        relufit.certify(model, inputs, ["maybe", *labels[1:]])


def test_objective_is_that_of_training() -> None:
    """From the definition, with scalings."""
    rng = np.random.default_rng(1)
    inputs, targets = rng.normal(3, 2, size=(40, 3)), rng.normal(5, 4, size=(40, 2))
    model = relufit.train(inputs, targets, [4], ridge=0.02).model
    assert model.training.ridge == 0.02
    certificate = relufit.certify(model, inputs, targets, time_limit=0.1)
    offset, scale = model.target_scaling
    errors = (model.predict(inputs) - targets) / scale
    ridge = 0.02 * targets.size
    expected = 0.5 * np.sum(errors**2) + ridge / 2 * sum(np.sum(weights**2) for weights, _ in model.layers)
    assert certificate.objective == pytest.approx(expected, rel=1e-12)
    assert certificate.ridge == 0.02 and certificate.units_added == 0
    assert 0 <= certificate.lower_bound <= certificate.objective
    assert certificate.gap == pytest.approx(1 - certificate.lower_bound / certificate.objective)
