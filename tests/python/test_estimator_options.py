"""Estimators: weights of classes, samples to choose by, warm starts, several quantiles, exports."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import relufit
from relufit import Model, ReluClassifier, ReluRegressor
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_pinball_loss, mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks


@parametrize_with_checks(
    [
        ReluRegressor((4,), validation_fraction=0.3),
        ReluClassifier((4,), validation_fraction=0.3),
    ]
)
def test_scikit_learn_s_checks(estimator, check) -> None:
    if check.func.__name__ != "check_class_weight_classifiers":  # takes long, and is made without validation
        check(estimator)


@pytest.fixture(scope="module")
def rare() -> tuple[np.ndarray, np.ndarray]:
    """Few of class "b", overlapping."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((400, 2))
    return X, np.where(X[:, 0] + generator.standard_normal(400) > 1.8, "b", "a")


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 0.5, "b": 3}, {"b": 4.0}])
def test_class_weights_are_those_of_a_linear_classifier(rare, class_weight) -> None:
    X, y = rare
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    found = ReluClassifier(hidden=(), ridge=0.01, loss="logistic", class_weight=class_weight).fit(X, y)
    counts = [(y == name).sum() for name in ("a", "b")]
    weights = [400 / 2 / count for count in counts]
    if isinstance(class_weight, dict):
        weights = [class_weight.get(name, 1) for name in ("a", "b")]
    total = np.dot(counts, weights)
    exact = LogisticRegression(C=1 / (0.01 * total), class_weight=class_weight, tol=1e-10, max_iter=2000).fit(X, y)
    np.testing.assert_allclose(found.predict_proba(X), exact.predict_proba(X), atol=1e-5)
    threefold = clone(found).fit(X, y, 3 * np.ones(400))
    np.testing.assert_allclose(threefold.predict_proba(X), found.predict_proba(X), rtol=1e-7)


def test_balanced_weights_count_like_repetitions(rare) -> None:
    X, y = rare
    repeated = np.random.default_rng(1).integers(0, 3, 400)
    estimator = ReluClassifier((3,), random_state=0, class_weight="balanced", max_iter=20)
    first = clone(estimator).fit(X, y, repeated)
    second = clone(estimator).fit(X.repeat(repeated, axis=0), y.repeat(repeated))
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X), atol=1e-9)
    even = clone(estimator).set_params(class_weight=None).fit(X, y)
    assert (first.predict(X) == "b").sum() > 2 * (even.predict(X) == "b").sum()


@pytest.mark.parametrize(
    "class_weight, message",
    [("even", "class_weight"), ({"a": -1}, "class_weight: .*expected finite numbers >= 0"),
     ({"c": 1}, "c"), ({"a": 0}, "0 for all samples of class 'a'")],
)  # fmt: skip
def test_bad_class_weights_are_refused(rare, class_weight, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReluClassifier((2,), class_weight=class_weight).fit(*rare)


def test_the_ridge_is_that_of_the_validation_samples(diabetes) -> None:
    """Recomputed: the network trained with each ridge of the path that predicts them best, or nearly."""
    X, y = diabetes
    train, held_out = (X[:300], y[:300]), (X[300:], y[300:])
    found = ReluRegressor((4,), random_state=0).fit(*train, eval_set=held_out)
    path = found.ridge_path_
    assert found.ridge_ in path["ridge"] and (path["standard_error"] == 0).all()
    errors = [
        mean_squared_error(held_out[1], ReluRegressor((4,), random_state=0, ridge=r).fit(*train).predict(held_out[0]))
        for r in path["ridge"]
    ]
    np.testing.assert_allclose(2 * path["held_out"] * np.var(train[1]), errors, rtol=0.1)
    again = ReluRegressor((4,), random_state=0, ridge=found.ridge_).fit(*train)
    np.testing.assert_array_equal(again.predict(X), found.predict(X))
    weighted = ReluRegressor((4,), random_state=0).fit(*train, eval_set=[(*held_out, np.ones(len(held_out[0])))])
    np.testing.assert_array_equal(weighted.predict(X), found.predict(X))
    noise = np.random.default_rng(0).standard_normal(len(held_out[1]))
    assert ReluRegressor((4,), random_state=0).fit(*train, eval_set=(held_out[0], noise)).ridge_ > found.ridge_


def test_starts_are_compared_on_validation_samples(diabetes) -> None:
    X, y = diabetes
    train, held_out = (X[:300], y[:300]), (X[300:], y[300:])
    parameters = dict(hidden=(8,), random_state=0, ridge=1e-3, starts=4)
    chosen = ReluRegressor(**parameters).fit(*train, eval_set=held_out)
    by_training = ReluRegressor(**parameters).fit(*train)
    assert chosen.score(*held_out) > by_training.score(*held_out)
    assert chosen.score(*train) < by_training.score(*train)


def test_a_fraction_is_held_out_of_every_class() -> None:
    X, y = load_iris(return_X_y=True)
    estimator = ReluClassifier((4,), random_state=0, validation_fraction=0.2).fit(X, y)
    assert 117 <= estimator.model_.training.samples <= 120 and estimator.score(X, y) > 0.95
    labels = np.array(["x", "y", "z"])[y]
    result = relufit.train(X, labels, [4], loss="cross-entropy", validation=(X[::5], labels[::5]))
    assert result.ridge_choice.by_validation and result.model.training.samples == 150
    best = result.ridge_choice.held_out[result.ridge_choice.ridges.index(result.ridge_choice.ridge)]
    assert best == pytest.approx(log_loss(labels[::5], result.model.predict_proba(X[::5])), rel=0.05)


@pytest.mark.parametrize(
    "validation, message",
    [
        (0, "validation: 0, expected a fraction"),
        (True, "validation: bool"),
        (([[1.0, 2.0]],), "validation: tuple"),
        (([[1.0]], [1.0]), "validation: .*inputs"),
        (([[1.0, 2.0]], [1.0, 2.0]), "validation: 2 samples of targets, expected 1"),
        (([[1.0, np.nan]], [1.0]), "validation: .*finite"),
        (([[1.0, 2.0]], [1.0], [-1.0]), "validation: sample_weights: -1"),
        (([[1.0, 2.0]], ["a"]), "validation: targets that are texts"),
    ],
)
def test_bad_validation_is_refused(rare, validation, message: str) -> None:
    X = rare[0]
    with pytest.raises(ValueError, match=message):
        relufit.train(X, X[:, 0], [2], validation=validation)


def test_what_is_refused_beside_validation(rare) -> None:
    X, y = rare
    with pytest.raises(ValueError, match="validation: given, expected none with the exact loss"):
        relufit.train(X, X[:, 0], [2], loss="exact", validation=0.5)
    with pytest.raises(ValueError, match="validation: 'c' at sample 1, expected one of the classes a, b"):
        relufit.train(X, y, [2], loss="logistic", validation=(X[:1], ["c"]))
    with pytest.raises(ValueError, match="eval_set: class 'c', expected one of those in y"):
        ReluClassifier((2,)).fit(X, y, eval_set=(X[:1], ["c"]))
    with pytest.raises(ValueError, match="eval_set: given with validation_fraction 0.1"):
        ReluClassifier((2,), validation_fraction=0.1).fit(X, y, eval_set=(X, y))
    with pytest.raises(ValueError, match="eval_set: expected one tuple"):
        ReluRegressor((2,)).fit(X, X[:, 0], eval_set=X)
    with pytest.raises(ValueError, match="eval_set: 2 columns of targets, expected 1"):
        ReluRegressor((2,)).fit(X, X[:, 0], eval_set=(X, X))


def test_warm_starts_go_on_from_the_network(diabetes) -> None:
    X, y = diabetes
    estimator = ReluRegressor((5,), random_state=0, warm_start=True).fit(X, y)
    first, ridge = estimator.model_, estimator.ridge_
    estimator.fit(X, y)
    assert estimator.ridge_ == ridge and estimator.ridge_path_ is None

    def objective(model: Model) -> float:
        squares = sum((weights**2).sum() for weights, _ in model.layers)
        return np.mean((y - model.predict(X)[:, 0]) ** 2) / np.var(y) + ridge * squares

    assert objective(estimator.model_) <= objective(first) * (1 + 1e-9)
    fitted = ReluRegressor((5,), random_state=0).fit(X, y)
    by_estimator = ReluRegressor((5,), init=fitted).fit(X, y)
    np.testing.assert_array_equal(by_estimator.predict(X), estimator.predict(X))
    search = GridSearchCV(ReluRegressor((5,), init=first), {"ridge": [0.01, 0.1]}, cv=2, error_score="raise")
    assert search.fit(X, y).best_params_["ridge"] in (0.01, 0.1)


def test_starts_that_do_not_fit_are_refused(rare, diabetes) -> None:
    X, y = rare
    fitted = ReluClassifier((3,), random_state=0, max_iter=5).fit(X, y)
    with pytest.raises(ValueError, match="init: a network of the classes a, b, expected a, c"):
        ReluClassifier((3,), init=fitted).fit(X, np.where(y == "b", "c", "a"))
    with pytest.raises(ValueError, match="init: the model's layers are"):
        ReluClassifier((4,), init=fitted.model_).fit(X, y)
    with pytest.raises(ValueError, match="init: 'warm', expected 'random', 'zero' or a Model"):
        ReluClassifier((4,), init="warm").fit(X, y)
    with pytest.raises(NotFittedError, match="init: an estimator that is not fitted"):
        ReluClassifier((3,), init=clone(fitted)).fit(X, y)


def test_a_warm_start_beside_a_constant_target(rare) -> None:
    X = rare[0]
    y = np.column_stack([np.abs(X[:, 0]), np.full(len(X), 2.0)])
    estimator = ReluRegressor((5,), random_state=0, warm_start=True).fit(X, y).fit(X, y, eval_set=(X, y))
    assert (estimator.predict(X)[:, 1] == 2).all() and estimator.score(X, y) > 0.9


def test_options_reach_the_library(diabetes) -> None:
    X, y = diabetes
    names = [f"x{i}" for i in range(X.shape[1])]
    for parameters in ({"bias": False}, {"nuclear": 0.01, "max_iter": 3, "polish": False},
                       {"strategy": "continuation", "max_iter": 5}, {"init": "zero", "max_iter": 10}):  # fmt: skip
        found = ReluRegressor((4,), random_state=0, ridge=0.01, **parameters).fit(X, y)
        arguments = {("iterations" if name == "max_iter" else name): value for name, value in parameters.items()}
        expected = relufit.train(X, y, [4], ridge=0.01, input_names=names, **arguments).model
        np.testing.assert_array_equal(found.predict(X), expected.predict(X)[:, 0])


def test_units_are_chosen() -> None:
    generator = np.random.default_rng(0)
    X = generator.uniform(-2, 2, (200, 2))
    y = np.sin(2 * X[:, 0]) + np.abs(X[:, 1])
    found = ReluRegressor("auto", random_state=0).fit(X, y)
    units = found.model_.widths[1]
    assert units > 10 and found.ridge_ in found.ridge_path_["ridge"]
    again = ReluRegressor((units,), random_state=0).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), found.predict(X))
    choice = relufit.train(X, y > 1, "auto", loss="logistic", folds=2).width_choice
    assert choice.width in choice.widths and len(choice.widths) == len(choice.held_out)
    for options, message in (({"loss": "exact"}, "the exact loss"), ({"init": found.model_}, "a network to start from")):
        with pytest.raises(ValueError, match=f"hidden: auto with {message}, expected numbers"):
            relufit.train(X, y, "auto", **options)


@pytest.fixture(scope="module")
def spread() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    X = generator.uniform(-2, 2, (400, 2))
    return X, X[:, 0] + np.abs(X[:, 1]) * generator.standard_normal(400)


LEVELS = [0.1, 0.5, 0.9]


@pytest.fixture(scope="module")
def quantiles(spread) -> ReluRegressor:
    return ReluRegressor((4,), loss="quantile", loss_parameter=LEVELS, random_state=0, max_iter=200).fit(*spread)


def test_quantiles_are_those_of_the_data(spread, quantiles) -> None:
    X, y = spread
    found = quantiles.predict(X)
    assert found.shape == (400, 3) and quantiles.model_.target_names == ["y0 q0.1", "y0 q0.5", "y0 q0.9"]
    np.testing.assert_allclose((y[:, np.newaxis] <= found).mean(axis=0), LEVELS, atol=0.02)
    for level, column in zip(LEVELS, found.T):
        alone = ReluRegressor((4,), loss="quantile", loss_parameter=level, random_state=0, ridge=1e-4).fit(X, y)
        assert mean_pinball_loss(y, column, alpha=level) < 1.1 * mean_pinball_loss(y, alone.predict(X), alpha=level)
    assert 0.3 < quantiles.score(X, y) < 1 and len(quantiles.ridge_) == len(quantiles.ridge_path_) == 3


def test_quantiles_never_cross(spread, quantiles, tmp_path: Path) -> None:
    """The proof from the weights, and searches far from the data, where nearly all units are off or on."""
    model = quantiles.model_
    (weights, bias), activation = model.layers[-1], model.activation
    assert activation == "relu" and (np.diff(weights, axis=0) >= 0).all() and (np.diff(bias) >= 0).all()
    assert (model.target_scaling[0] == 0).all() and (model.target_scaling[1] == 1).all()
    generator = np.random.default_rng(3)
    model.save(tmp_path / "model.json")
    for network in (model, model.folded(), Model.load(tmp_path / "model.json")):
        for size in (0, 1, 100, 1e9):
            points = size * generator.standard_normal((20000, 2))
            assert (np.diff(network.predict(points), axis=1) >= 0).all()


def test_quantiles_that_coincide_do_not_cross() -> None:
    """No noise, so that all quantiles are one, with a large offset: rounding alone would let them cross."""
    X = np.random.default_rng(0).standard_normal((200, 3))
    y = 1e6 + np.abs(X[:, 0]) - X[:, 1]
    estimator = ReluRegressor((4,), loss="quantile", loss_parameter=[0.2, 0.4, 0.6], ridge=1e-5, max_iter=100)
    found = estimator.fit(X, y).predict(10 * np.random.default_rng(1).standard_normal((20000, 3)))
    assert (np.diff(found, axis=1) >= 0).all()
    assert (ReluRegressor(loss="quantile", loss_parameter=[0.2, 0.8]).fit(X, np.ones(200)).predict(X) == 1).all()


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"loss_parameter": [0.5, 0.1]}, "loss_parameter: .*expected rising quantiles"),
        ({"loss_parameter": [0.5, 1.0]}, "loss_parameter: .*expected rising quantiles"),
        ({"loss_parameter": []}, "loss_parameter"),
        ({"hidden": ()}, "hidden: no layer with several quantiles"),
        ({"activation": "leaky-relu"}, "activation: 'leaky-relu' with several quantiles, expected 'relu'"),
        ({"skip_connections": True}, "skip_connections: True with several quantiles"),
        ({"weight_grid": 0.5}, "weight_grid: 0.5"),
        ({"constraints": {"convex": True}}, "constraints"),
    ],
)
def test_bad_quantiles_are_refused(spread, parameters: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReluRegressor(**{"hidden": (2,), "loss": "quantile", "loss_parameter": [0.1, 0.9], **parameters}).fit(*spread)


def test_quantiles_with_weights_validation_and_two_layers(spread) -> None:
    X, y = spread
    estimator = ReluRegressor((3, 3), loss="quantile", loss_parameter=[0.25, 0.75], random_state=0, max_iter=60)
    found = estimator.fit(X, y, np.arange(400) % 3, eval_set=(X[:50], y[:50])).predict(5 * X)
    assert found.shape == (400, 2) and (np.diff(found, axis=1) >= 0).all()
    with pytest.raises(ValueError, match="y: 2 columns with several quantiles, expected 1"):
        estimator.fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("hidden", [(6,), (4, 3), ()])
def test_to_sklearn(diabetes, hidden: tuple[int, ...]) -> None:
    X, y = diabetes
    estimator = ReluRegressor(hidden, random_state=0, ridge=0.01).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(estimator.to_sklearn().predict(X), estimator.predict(X), rtol=1e-11)
    both = ReluRegressor(hidden, random_state=0, ridge=0.01).fit(X, np.column_stack([y, -y]))
    np.testing.assert_allclose(both.model_.to_sklearn().predict(X), both.predict(X), rtol=1e-11)


@pytest.mark.parametrize("loss", ["cross-entropy", "logistic"])
@pytest.mark.parametrize("classes", [2, 3])
def test_classes_to_sklearn(loss: str, classes: int) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    if loss == "logistic" and classes == 3:
        return
    kept = y < classes
    X, y = X[kept], np.array(["u", "v", "w"])[y[kept]]
    estimator = ReluClassifier((4,), loss=loss, random_state=0).fit(X, y)
    found = estimator.to_sklearn()
    np.testing.assert_array_equal(found.predict(X), estimator.predict(X))
    np.testing.assert_allclose(found.predict_proba(X), estimator.predict_proba(X), atol=1e-12)
    assert list(found.feature_names_in_) == list(X.columns) and isinstance(X, pandas.DataFrame)
    assert list(estimator.model_.to_sklearn().classes_) == list(estimator.classes_)


def test_what_scikit_learn_does_not_have() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    for parameters, message in (
        ({"activation": "absolute"}, "the activation 'absolute'"),
        ({"skip_connections": True, "hidden": (2, 2)}, "skip connections"),
        ({"loss": "hinge"}, "the hinge loss"),
    ):
        estimator = ReluClassifier(**{"hidden": (2,), "max_iter": 5, "ridge": 0.1, **parameters}).fit(X, y)
        with pytest.raises(ValueError, match=f"model: with {message}"):
            estimator.to_sklearn()
    positive = ReluRegressor((2,), output_activation="relu", max_iter=5, ridge=0.1).fit(X, y)
    with pytest.raises(ValueError, match="model: with ReLU outputs"):
        positive.to_sklearn()
    with pytest.raises(NotFittedError):
        ReluRegressor().to_sklearn()


def test_exports_of_estimators(diabetes, tmp_path: Path) -> None:
    X, y = diabetes
    estimator = ReluRegressor((3,), random_state=0, ridge=0.01).fit(X, y)
    estimator.save(tmp_path / "model.json")
    np.testing.assert_array_equal(Model.load(tmp_path / "model.json").predict(X)[:, 0], estimator.predict(X))
    assert estimator.to_c(tmp_path / "model.h") == estimator.model_.to_c(tmp_path / "model.h")
    pytest.importorskip("onnx")
    estimator.to_onnx(tmp_path / "model.onnx", dtype="float64")
    again = relufit.from_onnx(tmp_path / "model.onnx")
    np.testing.assert_allclose(again.predict(X)[:, 0], estimator.predict(X), rtol=1e-12)
