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
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from relufit import Model, ReluClassifier, ReluRegressor
from relufit._estimators import _simplex


@parametrize_with_checks([ReluRegressor(max_iter=200), ReluClassifier(max_iter=200)])
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


def test_classification_on_real_data() -> None:
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    estimator = ReluClassifier(hidden=(6,), random_state=0, max_iter=300)
    assert cross_val_score(estimator, X, names, cv=3).mean() > 0.9
    estimator.fit(X, names)
    assert list(estimator.classes_) == ["setosa", "versicolor", "virginica"]
    assert estimator.model_.target_names == ["setosa", "versicolor", "virginica"]
    binary = ReluClassifier(hidden=(3,), random_state=0, max_iter=300).fit(X, y > 0)
    assert binary.model_.target_names == ["True"]
    assert binary.score(X, y > 0) == 1


def test_probabilities_are_the_nearest_ones() -> None:
    """Against the conditions of optimality, and against nearness itself on random probabilities."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((200, 4)) * rng.uniform(0.1, 3, (200, 1))
    found = _simplex(points)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(np.argmax(found, axis=1), np.argmax(points, axis=1))
    others = rng.dirichlet(np.ones(4), 500)
    for point, nearest in zip(points, found):
        assert np.linalg.norm(point - nearest) <= np.linalg.norm(point - others, axis=1).min() + 1e-12
    inside = rng.dirichlet(np.ones(4), 20)
    np.testing.assert_allclose(_simplex(inside), inside, atol=1e-12)


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


@pytest.mark.parametrize("output_activation", ["linear", "relu"])
def test_constant_targets_are_predicted(output_activation: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    estimator = ReluRegressor(hidden=(3,), max_iter=50, random_state=0, output_activation=output_activation)
    y = np.column_stack([np.full(30, 3.0), np.abs(X[:, 0]), np.zeros(30)])
    outputs = estimator.fit(X, y).predict(X)
    np.testing.assert_array_equal(outputs[:, [0, 2]], y[:, [0, 2]])
    np.testing.assert_array_equal(outputs[:, 1], estimator.fit(X, y[:, 1]).predict(X))
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
    assert len(lines) == 4 and all(line.startswith("[relufit] start 0, iteration") for line in lines)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"hidden": ()}, "hidden: no hidden layer given"),
        ({"hidden": "ten"}, "hidden"),
        ({"loss": "absolute"}, "loss: 'absolute'"),
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
