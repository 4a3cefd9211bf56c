"""Losses, sample weights, linear models, classes, grids and constraints in training from Python."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from models import same
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge

import relufit
from relufit import core


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((120, 2))
    return inputs, inputs @ [2.0, -1.0] + 3 + rng.gamma(1.0, 1.0, 120)


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, np.ndarray]:
    inputs, classes = load_iris(return_X_y=True)
    return inputs, np.array(["setosa", "versicolor", "virginica"])[classes]


def pinball(errors: np.ndarray, tau: float) -> float:
    return float(np.mean(np.maximum(tau * errors, (tau - 1) * errors)))


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
def test_linear_quantiles_are_those_of_a_linear_program(noisy, tau: float) -> None:
    inputs, targets = noisy
    options = {"loss": "absolute"} if tau == 0.5 else {"loss": "quantile", "loss_parameter": tau}
    result = relufit.train(inputs, targets, [], ridge=0, **options)
    assert result.model.widths == [2, 1]
    best = QuantileRegressor(quantile=tau, alpha=0).fit(inputs, targets).predict(inputs)
    found = result.model.predict(inputs)[:, 0]
    assert pinball(targets - found, tau) == pytest.approx(pinball(targets - best, tau), rel=1e-5)


def huber(errors: np.ndarray, delta: float) -> float:
    size = np.abs(errors)
    return float(np.where(size <= delta, size**2 / 2, delta * (size - delta / 2)).sum())


def test_linear_huber_is_stationary(noisy) -> None:
    """Delta in units of the targets: the derivatives of the sum of losses by definition vanish."""
    inputs, targets = noisy
    model = relufit.train(inputs, targets, [], loss="huber", loss_parameter=0.5, ridge=0).model
    slopes = np.clip(model.predict(inputs)[:, 0] - targets, -0.5, 0.5)
    assert np.abs(slopes @ np.column_stack([inputs, np.ones(len(inputs))])).max() < 1e-4
    assert 0 < np.mean(np.abs(slopes) == 0.5) < 1


def test_linear_least_squares_with_sample_weights(noisy) -> None:
    inputs, targets = noisy
    weights = np.random.default_rng(1).uniform(0, 3, len(targets))
    weights[:5] = 0
    model = relufit.train(inputs, targets, [], ridge=0, sample_weight=weights).model
    exact = Ridge(alpha=0).fit(inputs, targets, sample_weight=weights)
    np.testing.assert_allclose(model.predict(inputs)[:, 0], exact.predict(inputs), atol=1e-6)


def test_losses_of_networks_do_what_they_are_for() -> None:
    """Outliers move the median less than the mean; 0.8 of the targets lie below the 0.8-quantile."""
    rng = np.random.default_rng(2)
    inputs = rng.uniform(-2, 2, (300, 1))
    clean = np.abs(inputs[:, 0])
    targets = clean + 0.1 * rng.standard_normal(300)
    targets[:20] += 8

    def error(**options: object) -> float:
        model = relufit.train(inputs, targets, [4], iterations=300, polish=True, ridge=1e-5, **options).model
        return float(np.mean(np.abs(model.predict(inputs)[:, 0] - clean)))

    squared = error()
    assert error(loss="absolute") < squared / 10 and error(loss="huber", loss_parameter=0.2) < squared / 10
    upper = relufit.train(inputs, targets, [4], loss="quantile", loss_parameter=0.8, iterations=300, ridge=1e-5).model
    assert np.mean(targets <= upper.predict(inputs)[:, 0]) == pytest.approx(0.8, abs=0.02)


def test_a_heavy_sample_is_fitted() -> None:
    rng = np.random.default_rng(3)
    inputs, targets = rng.standard_normal((50, 2)), rng.standard_normal(50)
    weights = np.ones(50)
    weights[7] = 1e4
    options = {"hidden": [2], "iterations": 200, "seed": 0}
    plain = relufit.train(inputs, targets, **options).model.predict(inputs)[7, 0]
    heavy = relufit.train(inputs, targets, sample_weight=weights, **options).model.predict(inputs)[7, 0]
    assert abs(heavy - targets[7]) < 0.05 < abs(plain - targets[7])


def test_linear_classification_is_logistic_regression(iris) -> None:
    """Two classes; ridge per sample on standardized inputs is scikit-learn's 1 / (C samples)."""
    inputs, labels = iris[0][50:], iris[1][50:]
    result = relufit.train(inputs, labels, [], loss="logistic", ridge=0.01)
    scaled = (inputs - inputs.mean(0)) / inputs.std(0)
    exact = LogisticRegression(C=1 / (0.01 * 100), tol=1e-10, max_iter=1000).fit(scaled, labels)
    np.testing.assert_allclose(result.model.predict_proba(inputs), exact.predict_proba(scaled), atol=1e-5)
    assert result.model.classification.classes == ["versicolor", "virginica"]
    assert result.classes.accuracy == np.mean(exact.predict(scaled) == labels)


@pytest.mark.parametrize("loss, link", [("cross-entropy", "softmax"), ("hinge", "none")])
def test_classes_of_a_network(iris, loss: str, link: str, tmp_path: Path) -> None:
    inputs, labels = iris
    result = relufit.train(inputs, labels, [6], loss=loss, target_names=["species"])
    model = result.model
    assert model.classification == core.Classification("species", ["setosa", "versicolor", "virginica"], link)
    assert model.target_names == [f"species={name}" for name in model.classification.classes]
    given = model.predict_labels(inputs)
    scores = model.predict(inputs)
    np.testing.assert_array_equal(given, np.array(model.classification.classes)[scores.argmax(axis=1)])
    assert result.classes.accuracy == np.mean(given == labels) >= 0.95
    assert result.classes.counts.sum() == 150 and np.trace(result.classes.counts) == 150 * result.classes.accuracy
    assert result.evaluation is None and np.isnan(model.training.relative_residual)
    if link == "none":
        assert np.isnan(result.classes.log_loss)
        with pytest.raises(ValueError, match="hinge loss, which has no probabilities"):
            model.predict_proba(inputs)
    else:
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        np.testing.assert_allclose(model.predict_proba(inputs), powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
        truth = model.predict_proba(inputs)[np.arange(150), np.unique(labels, return_inverse=True)[1]]
        assert result.classes.log_loss == pytest.approx(-np.log(truth).mean())
    model.save(str(tmp_path / "model.json"))
    for again in (relufit.Model.load(str(tmp_path / "model.json")), pickle.loads(pickle.dumps(model))):
        assert same(again, model) and again.classification == model.classification
        assert again.training.loss == loss


@pytest.mark.parametrize(
    "labels, names",
    [
        (np.array([0, 1]), ["0", "1"]),
        (np.array([0.0, 1.0]), ["0", "1"]),
        (np.array([False, True]), ["False", "True"]),
        (np.array(["b", "a"], dtype=object), ["a", "b"]),
        ([10, 9], ["9", "10"]),
        (["10", "9"], ["9", "10"]),
        (["x", 3], ["3", "x"]),
        (np.array([[2], [1]]), ["1", "2"]),
        ([9007199254740993, 9007199254740992], ["9007199254740992", "9007199254740993"]),
        (np.array([9007199254740993, 9007199254740992]), ["9007199254740992", "9007199254740993"]),
        ([9007199254740993, 0.5], ["0.5", "9007199254740993"]),
        ([2**63, -1], ["-1", "9223372036854775808"]),
        (["007", "7"], ["007", "7"]),
        (np.array(["01", "1"]), ["01", "1"]),
        ([np.float32(0.5), 2], ["0.5", "2"]),
    ],
)
def test_labels_of_any_kind(labels, names: list[str]) -> None:
    inputs = np.array([[-2.0], [2.0]]).repeat(10, axis=0) + np.linspace(0, 1, 20)[:, None]
    given = np.repeat(labels, 10, axis=0) if isinstance(labels, np.ndarray) else [x for x in labels for _ in range(10)]
    model = relufit.train(inputs, given, [], loss="logistic").model
    assert model.classification.classes == names
    expected = [str(value) for value in np.asarray(labels, dtype=object).ravel()]
    expected = [name.removesuffix(".0") for name in expected]
    assert list(model.predict_labels([[-2.0], [3.0]])) == expected


def test_order_of_classes_can_be_given(iris) -> None:
    inputs, labels = iris
    order = ["virginica", "setosa", "versicolor"]
    result = relufit.train(inputs, labels, [], loss="cross-entropy", classes=order)
    assert result.model.classification.classes == order
    assert result.classes.counts.sum(axis=1).tolist() == [50, 50, 50]
    sorted_model = relufit.train(inputs, labels, [], loss="cross-entropy").model
    np.testing.assert_allclose(
        result.model.predict_proba(inputs), sorted_model.predict_proba(inputs)[:, [2, 0, 1]], atol=1e-4
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"loss": "logistic"}, "loss: 'logistic' with the 3 classes of 'class', expected 2"),
        ({"classes": ["setosa", "virginica"]}, "targets: 'versicolor' at sample 51, expected one of the given classes"),
        ({"classes": ["setosa", "setosa", "virginica"]}, "classes: 'setosa' is repeated"),
        ({"targets": [None] * 150}, "targets: None at sample 1, expected a label"),
        ({"targets": [1.0, np.nan] * 75}, "targets: nan at sample 2, expected a label"),
        ({"targets": ["a"] * 150}, "'a' in all 150 samples, expected at least 2 classes"),
        ({"targets": ["a", "b"] * 70}, "140"),
        ({"targets": np.zeros((150, 2))}, "targets: 2 dimensions, expected 1"),
        ({"target_names": ["a", "b"]}, "target_names: 2 names, expected 1, of the label"),
        ({"output_activation": "relu"}, "output_activation: 'relu' with the loss 'cross-entropy'"),
    ],
)
def test_bad_labels_are_refused(iris, options: dict, message: str) -> None:
    arguments = {"inputs": iris[0], "targets": iris[1], "hidden": [2], "loss": "cross-entropy", **options}
    with pytest.raises(ValueError, match=message):
        relufit.train(**arguments)


def test_loss_parameter_survives(noisy, tmp_path: Path) -> None:
    model = relufit.train(*noisy, [2], loss="quantile", loss_parameter=0.25, iterations=5).model
    model.save(str(tmp_path / "model.json"))
    for again in (relufit.Model.load(str(tmp_path / "model.json")), pickle.loads(pickle.dumps(model))):
        assert (again.training.loss, again.training.loss_parameter) == ("quantile", 0.25)


def test_weights_on_a_grid(noisy) -> None:
    inputs, targets = noisy
    result = relufit.train(inputs, targets, [3], iterations=100, weight_grid=2**-4)
    for weights, bias in result.model.folded().layers:
        for values in (weights, bias):
            np.testing.assert_array_equal(values * 16, np.rint(values * 16))
    assert result.grid.step == 2**-4
    assert result.grid.repaired < result.grid.rounded
    assert relufit.train(inputs, targets, [3], iterations=5).grid is None


def test_bounds_on_outputs_hold(noisy, tmp_path: Path) -> None:
    inputs, targets = noisy
    (tmp_path / "points.csv").write_text("x0,x1\n5,5\n-5,5\n")
    path = tmp_path / "constraints.json"
    wanted = {"outputs": [{"target": "y0", "lower": 0, "upper": 6},
                          {"target": "y0", "points": "points.csv", "upper": 4}]}  # fmt: skip
    path.write_text(json.dumps(wanted))
    result = relufit.train(inputs, targets, [4], iterations=100, constraints=path)
    outputs = result.model.predict(inputs)
    assert outputs.min() >= -1e-9 and outputs.max() <= 6 + 1e-9
    assert result.model.predict([[5.0, 5.0], [-5.0, 5.0]]).max() <= 4 + 1e-9
    assert len(result.constraints) >= 2 and all(check.holds for check in result.constraints)
    constraints = core.load_constraints(path)
    here = core.check_constraints(constraints, result.model, inputs)
    assert [(c.name, c.slack) for c in here] == [(c.name, c.slack) for c in result.constraints]
    assert len(core.check_constraints(constraints, result.model)) < len(here)


def test_constraints_that_are_not_kept_are_an_error(noisy) -> None:
    """With all weights 1 no choice of biases makes the outputs the same everywhere."""
    inputs, targets = noisy
    wanted = {"outputs": [{"target": "y0", "lower": 5, "upper": 5}],
              "weights": [{"layer": 1, "value": 1}, {"layer": 2, "value": 1}]}  # fmt: skip
    with pytest.raises(RuntimeError, match=r"constraint outputs.* is violated by .* in the best network found"):
        relufit.train(inputs, targets, [2], iterations=10, constraints=wanted)
