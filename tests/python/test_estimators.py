"""Estimators: scikit-learn's own checks, and what they do not cover."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from relufit import Model, ReluClassifier, ReluRegressor


@parametrize_with_checks(
    [
        ReluRegressor(max_iter=200),
        ReluRegressor(hidden=(), loss="huber", loss_parameter=1.0),
        ReluClassifier(max_iter=200),
        ReluClassifier(hidden=(), loss="logistic"),
        ReluClassifier(loss="hinge", max_iter=200),
    ]
)
def test_scikit_learn_s_checks(estimator, check) -> None:
    check(estimator)


def test_regression_on_real_data(diabetes) -> None:
    X, y = diabetes
    pipeline = make_pipeline(StandardScaler(), ReluRegressor(random_state=0, max_iter=200, ridge=0.02))
    scores = cross_val_score(pipeline, X, y, cv=3)
    assert scores.mean() > 0.4


def test_grid_search_and_its_predictions(diabetes) -> None:
    X, y = diabetes
    search = GridSearchCV(
        ReluRegressor(random_state=0, max_iter=50), {"ridge": [1e-3, 0.1], "hidden": [(3,), (2, 2)]}, cv=2
    )
    search.fit(X, y)
    best = ReluRegressor(random_state=0, max_iter=50, **search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict(X), best.predict(X))


NAMES = np.array(["setosa", "versicolor", "virginica"])


def test_classification_on_real_data() -> None:
    X, y = load_iris(return_X_y=True)
    estimator = ReluClassifier(hidden=(6,), random_state=0)
    assert cross_val_score(estimator, X, NAMES[y], cv=3).mean() > 0.93
    estimator.fit(X, NAMES[y])
    assert list(estimator.classes_) == estimator.model_.classification.classes == list(NAMES)
    np.testing.assert_array_equal(estimator.predict(X), estimator.model_.predict_labels(X))
    np.testing.assert_array_equal(estimator.predict_proba(X), estimator.model_.predict_proba(X))
    np.testing.assert_array_equal(estimator.decision_function(X), estimator.model_.predict(X))
    np.testing.assert_allclose(estimator.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    X, y = load_breast_cancer(return_X_y=True)
    for loss, outputs in (("cross-entropy", 2), ("logistic", 1), ("hinge", 1)):
        binary = ReluClassifier(hidden=(4,), loss=loss, random_state=0, max_iter=100).fit(X, y > 0)
        assert binary.model_.widths[-1] == outputs and binary.model_.classification.classes == ["False", "True"]
        assert binary.score(X, y > 0) > 0.97
        scores = binary.decision_function(X)
        np.testing.assert_array_equal(binary.predict(X), scores > 0)
        if loss == "hinge":
            assert not hasattr(binary, "predict_proba")
        else:
            np.testing.assert_allclose(binary.predict_proba(X)[:, 1], 1 / (1 + np.exp(-scores)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "classes, names",
    [
        ([1.0, 2.0, -3.0], ["-3", "1", "2"]),
        (["10", "9", "1"], ["1", "10", "9"]),
        (["1", "1.0", "2"], ["'1'", "'1.0'", "'2'"]),
        (["", "a", "a "], ["''", "'a'", "'a '"]),
        ([False, True], ["False", "True"]),
        ([10**17, 10**17 + 1], [f"{10**17}", f"{10**17 + 1}"]),
    ],
)
def test_classes_of_any_type(classes: list, names: list[str]) -> None:
    y = np.repeat(np.array(classes, dtype=object if isinstance(classes[0], str) else None), 10)
    X = np.repeat(np.arange(len(classes)), 10)[:, np.newaxis] + np.linspace(0, 0.3, len(y))[:, np.newaxis]
    estimator = ReluClassifier(hidden=(4,), random_state=0, ridge=1e-5).fit(X, y)
    assert list(estimator.classes_) == sorted(classes)
    assert estimator.model_.classification.classes == names
    np.testing.assert_array_equal(estimator.predict(X), y)


def test_losses_reach_the_library(diabetes) -> None:
    X, y = diabetes
    for loss, tau in (("absolute", 0.5), ("quantile", 0.9)):
        estimator = ReluRegressor(hidden=(), loss=loss, loss_parameter=tau if loss == "quantile" else None, ridge=0)
        exact = QuantileRegressor(quantile=tau, alpha=0).fit(X, y)
        found, best = (mean_pinball_loss(y, model.fit(X, y).predict(X), alpha=tau) for model in (estimator, exact))
        assert found == pytest.approx(best, rel=1e-5)
        assert estimator.model_.training.loss == loss
    grid = ReluRegressor(hidden=(3,), random_state=0, max_iter=50, weight_grid=2**-5).fit(X, y)
    for weights, bias in grid.model_.folded().layers:
        assert np.array_equal(weights * 32, np.rint(weights * 32)) and np.array_equal(bias * 32, np.rint(bias * 32))


@pytest.mark.parametrize("estimator", [ReluRegressor((3,), max_iter=30), ReluClassifier((3,), max_iter=30)])
def test_weights_count_like_repetitions(estimator) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, 1, 2)
    weights = rng.integers(0, 4, 60)
    predict = lambda model: (model.predict_proba if hasattr(model, "predict_proba") else model.predict)(X)  # noqa: E731
    fit = lambda *data: predict(clone(estimator).set_params(random_state=0).fit(*data))  # noqa: E731
    weighted = fit(X, y, weights)
    np.testing.assert_array_equal(weighted, fit(X.repeat(weights, axis=0), y.repeat(weights)))
    np.testing.assert_array_equal(weighted, fit(X[::-1], y[::-1], 2.0 * weights[::-1]))
    plain = fit(X, y)
    np.testing.assert_array_equal(plain, fit(X, y, np.full(60, 7.0)))
    assert np.abs(weighted - plain).max() > 1e-3


def test_weights_of_a_linear_classifier() -> None:
    """Ridge per unit of weight on the library's scaled inputs is scikit-learn's 1 / (C sum of weights)."""
    X, y = load_iris(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    X, order = np.unique(X, axis=0, return_index=True)
    y, X = y[order], (X - X.mean(0)) / X.std(0)
    weights = np.random.default_rng(0).uniform(0.1, 2, len(y))
    found = ReluClassifier(hidden=(), ridge=0.01).fit(X, y, sample_weight=weights)
    exact = LogisticRegression(C=1 / (0.01 * weights.sum()), tol=1e-10, max_iter=2000).fit(X, y, weights)
    np.testing.assert_allclose(found.predict_proba(X), exact.predict_proba(X), atol=1e-5)


def test_bad_sample_weights_are_refused(diabetes) -> None:
    X, y = diabetes
    with pytest.raises(ValueError, match="sample_weight: given, expected none with the exact loss"):
        ReluRegressor(loss="exact").fit(X, y, np.ones(len(y)))
    for estimator, targets in ((ReluRegressor(), y), (ReluClassifier(), y > 100)):
        with pytest.raises(ValueError, match="sample_weight: -1.0, expected numbers >= 0"):
            estimator.fit(X, targets, -np.ones(len(y)))
        with pytest.raises(ValueError, match="[Ss]ample.weight.*zero"):
            estimator.fit(X, targets, np.zeros(len(y)))
    with pytest.raises(ValueError, match="sample_weight: 0 for all samples of class"):
        ReluClassifier().fit(X, y > 100, y > 100)


def test_classifier_in_a_pipeline_and_a_search() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    labels = pandas.Series(NAMES[y], name="species")
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), ReluClassifier((4,), random_state=0))
    parameters = {"reluclassifier__loss": ["cross-entropy", "hinge"], "reluclassifier__max_iter": [50]}
    search = GridSearchCV(pipeline, parameters, cv=3, error_score="raise").fit(X, labels)
    assert search.best_score_ > 0.9
    model = search.best_estimator_[-1].model_
    assert model.classification.label == "species" and model.input_names == list(X.columns)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))


def test_constraints_of_classes_and_those_that_are_not_kept(diabetes) -> None:
    X, y = load_iris(return_X_y=True)
    wanted = {"monotone": [{"input": "x3", "target": "class=2", "direction": "increasing"}]}
    estimator = ReluClassifier((4,), random_state=0, max_iter=100, constraints=wanted).fit(X, y)
    moved = X + np.array([0, 0, 0, 0.5])
    assert (estimator.decision_function(moved)[:, 2] >= estimator.decision_function(X)[:, 2] - 1e-12).all()
    wanted = {"outputs": [{"target": "y0", "lower": 5, "upper": 5}],
              "weights": [{"layer": 1, "value": 1}, {"layer": 2, "value": 1}]}  # fmt: skip
    with pytest.raises(RuntimeError, match="constraint outputs.* is violated"):
        ReluRegressor((2,), max_iter=5, constraints=wanted).fit(*diabetes)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"loss": "squared"}, "loss: 'squared', expected one of cross-entropy, logistic, hinge"),
        ({"loss": "logistic"}, "loss: 'logistic' with 3 classes, expected 2"),
        ({"hidden": (0,)}, "hidden: 0 units"),
    ],
)
def test_bad_parameters_of_a_classifier_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReluClassifier(**parameters).fit(*load_iris(return_X_y=True))


def test_int_random_state_is_the_library_s_seed(diabetes) -> None:
    X, y = diabetes
    estimator = ReluRegressor(random_state=7, max_iter=20).fit(X, y)
    assert estimator.model_.training.seed == 7
    first = ReluRegressor(random_state=np.random.RandomState(1), max_iter=20).fit(X, y)
    second = ReluRegressor(random_state=np.random.RandomState(1), max_iter=20).fit(X, y)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    assert first.model_.training.seed != 7


def test_n_jobs_does_not_change_the_result(diabetes) -> None:
    X, y = diabetes
    expected = ReluRegressor(random_state=0, max_iter=20, starts=3).fit(X, y).predict(X)
    for n_jobs in (2, -1):
        found = ReluRegressor(random_state=0, max_iter=20, starts=3, n_jobs=n_jobs).fit(X, y).predict(X)
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="n_jobs: 0"):
        ReluRegressor(n_jobs=0).fit(X, y)


def test_pandas_names(diabetes) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = diabetes
    frame = pandas.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])
    targets = pandas.DataFrame({"progression": y, "half": y / 2})
    estimator = ReluRegressor(random_state=0, max_iter=20).fit(frame, targets)
    assert list(estimator.feature_names_in_) == estimator.model_.input_names == list(frame.columns)
    assert estimator.model_.target_names == ["progression", "half"]
    assert ReluRegressor(max_iter=5).fit(frame, targets["half"]).model_.target_names == ["half"]
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame[frame.columns[::-1]])
    assert pandas.DataFrame(estimator.trace_).shape[1] == 9


def test_exact_loss_warns_where_there_is_no_exact_fit() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 2)), rng.standard_normal(60)
    estimator = ReluRegressor(hidden=(2,), loss="exact", max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="No exact fit was found"):
        estimator.fit(X, y)
    kinked = np.abs(X[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = ReluRegressor(hidden=(2,), loss="exact", random_state=0).fit(X, kinked)
    assert exact.status_ == "converged"
    np.testing.assert_allclose(exact.predict(X), kinked, atol=1e-7)


def test_interrupted_fit_is_usable() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 3)), rng.standard_normal(200)
    estimator = ReluRegressor(hidden=(4,), loss="exact", max_iter=10**9, random_state=0)
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        estimator.fit(X, y)
    assert estimator.status_ == "interrupted"
    assert pickle.loads(pickle.dumps(estimator)).predict(X).shape == (200,)
    assert clone(estimator).get_params() == estimator.get_params()


@pytest.mark.parametrize(
    "output_activation, options",
    [("linear", {}), ("relu", {}), ("linear", {"activation": "maxout", "skip_connections": True})],
)
def test_constant_targets_are_predicted(output_activation: str, options: dict) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    estimator = ReluRegressor(hidden=(3,), max_iter=50, random_state=0, output_activation=output_activation, **options)
    y = np.column_stack([np.full(30, 3.0), np.abs(X[:, 0]), np.zeros(30)])
    outputs = estimator.fit(X, y).predict(X)
    np.testing.assert_array_equal(outputs[:, [0, 2]], y[:, [0, 2]])
    # Sums of a matrix product with one row may be rounded otherwise than those of one with three.
    np.testing.assert_allclose(outputs[:, 1], estimator.fit(X, y[:, 1]).predict(X), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(estimator.fit(X, y[:, 0]).predict(X), y[:, 0])
    assert isinstance(estimator.model_, Model)


def test_constraints_and_removed_units() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2))
    y = np.column_stack([X[:, 0] + 0.3 * rng.standard_normal(100), np.full(100, 2.0)])
    wanted = {"monotone": [{"input": "x1", "target": "y0", "direction": "decreasing"}]}
    estimator = ReluRegressor(hidden=(6,), max_iter=200, random_state=0, group_lasso=0.05, constraints=wanted).fit(X, y)
    assert estimator.model_.widths[1] < 6
    shifted = estimator.predict(X + np.array([0, 1.0]))
    assert (shifted[:, 0] <= estimator.predict(X)[:, 0] + 1e-12).all()
    assert (shifted[:, 1] == 2).all()


def test_relu_outputs_are_not_negative() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 2))
    y = np.maximum(X[:, 0], 0)
    estimator = ReluRegressor(hidden=(3,), max_iter=100, random_state=0, output_activation="relu").fit(X, y)
    assert estimator.predict(rng.standard_normal((1000, 2))).min() >= 0
    with pytest.raises(ValueError, match="expected no value below 0"):
        estimator.fit(X, y - 1)


def test_verbose_prints_every_record(capsys) -> None:
    X = np.linspace(-1, 1, 20).reshape(-1, 1)
    ReluRegressor(hidden=(2,), max_iter=20, verbose=True).fit(X, X[:, 0] ** 2)
    lines = capsys.readouterr().out.splitlines()
    starts = [line for line in lines if line.startswith("[relufit] start 0, iteration")]
    ridges = [line for line in lines if line.startswith("[relufit] ridge ")]
    assert len(starts) == 4 and len(ridges) >= 3 and lines == ridges + starts


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"hidden": (), "loss": "exact"}, "hidden: no layer with the exact loss"),
        ({"hidden": "ten"}, "hidden"),
        ({"loss": "logistic"}, "loss: 'logistic', expected one of squared, exact, absolute, huber, quantile"),
        ({"loss": "huber"}, "loss_parameter: None, the huber loss expects"),
        ({"loss_parameter": 0.5}, "loss_parameter: 0.5 with the loss 'squared'"),
        ({"weight_grid": -1}, "weight_grid: -1"),
        ({"ridge": -1}, "ridge: -1"),
        ({"max_iter": 0}, "0, expected at least 1"),
        ({"tol": 0}, "tolerance: 0, expected a number > 0"),
        ({"starts": 0}, "starts: 0"),
        ({"time_limit": -1}, "time_limit: -1"),
        ({"random_state": -1}, "seed: -1"),
    ],
)
def test_bad_parameters_are_refused(diabetes, parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReluRegressor(**parameters).fit(*diabetes)
