"""Frames by name, arrays by position; values that are not finite; names of columns that no file could hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import random_classifier, random_inputs, random_model

import relufit
from relufit import ReluClassifier, ReluRegressor, core

pandas = pytest.importorskip("pandas")


def frames(columns: dict[str, np.ndarray]) -> list[Any]:
    """The same columns as frames of every library that is installed."""
    made = [pandas.DataFrame(columns)]
    for name, make in (("polars", "DataFrame"), ("pyarrow", "table")):
        try:
            made.append(getattr(__import__(name), make)(columns))
        except ImportError:
            pass
    return made


def classifier() -> relufit.Model:
    return random_classifier(0, widest=4)


METHODS: dict[str, tuple[Callable[[], relufit.Model], Callable[[relufit.Model, Any], Any]]] = {
    "predict": (lambda: random_model(8, widest=4), lambda model, data: model.predict(data)),
    "predict_proba": (classifier, lambda model, data: model.predict_proba(data)),
    "predict_labels": (classifier, lambda model, data: model.predict_labels(data)),
    "check_constraints": (
        lambda: random_model(8, widest=4),
        lambda model, data: [
            check.slack
            for check in core.check_constraints(
                core.load_constraints({"outputs": [{"target": "y0", "lower": -1}]}), model, data
            )
        ],
    ),
}


@pytest.mark.parametrize("name", METHODS)
def test_frames_are_taken_by_name(name: str) -> None:
    make, method = METHODS[name]
    model = make()
    inputs = random_inputs(model, 9)
    columns = dict(zip(model.input_names, inputs.T))
    assert len(columns) > 1
    expected = method(model, inputs)
    shuffled = {"more": np.full(9, np.nan), **dict(reversed(columns.items()))}
    for frame in (*frames(columns), *frames(shuffled)):
        np.testing.assert_array_equal(method(model, frame), expected)
    np.testing.assert_array_equal(method(model, pandas.DataFrame(inputs)), expected)  # numbers are positions


@pytest.mark.parametrize("name", METHODS)
def test_columns_that_are_not_there_are_named(name: str) -> None:
    make, method = METHODS[name]
    model = make()
    first, *others = model.input_names
    for frame in frames({column: np.zeros(3) for column in ("other", *others)}):
        with pytest.raises(ValueError, match=f"inputs: a frame without '{first}', expected the columns '{first}', "):
            method(model, frame)
    repeated = pandas.DataFrame(np.zeros((3, len(others) + 2)), columns=[first, *model.input_names])
    with pytest.raises(ValueError, match=f"inputs: a frame with several columns '{first}', expected one"):
        method(model, repeated)
    mixed = pandas.DataFrame(np.zeros((3, 2)), columns=[first, 0])
    with pytest.raises(ValueError, match=f"column names '{first}' and 0, expected texts"):
        method(model, mixed)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", METHODS)
def test_values_that_are_not_finite_are_refused(name: str, value: float) -> None:
    make, method = METHODS[name]
    model = make()
    inputs = random_inputs(model, 5)
    inputs[3, 1] = value
    for data in (inputs, np.asfortranarray(inputs), inputs.tolist(), *frames(dict(zip(model.input_names, inputs.T)))):
        with pytest.raises(ValueError, match=f"inputs: sample 4 has {value} in column 2, expected finite numbers"):
            method(model, data)


def test_scores_that_are_not_finite_have_no_class() -> None:
    model = relufit.Model(
        [(np.array([[2.0], [3.0]]), np.zeros(2))], classification=core.Classification("class", ["a", "b"])
    )
    assert list(model.predict_labels([[1.0]])) == ["b"]
    for method in (model.predict_labels, model.predict_proba):
        with pytest.raises(ValueError, match="inputs: sample 2 is so large that its scores are not finite"):
            method([[1.0], [1e308]])


X = np.random.default_rng(0).standard_normal((30, 2))
Y = X @ [1.0, 2.0]


def test_training_takes_names_from_frames() -> None:
    frame, targets = pandas.DataFrame(X, columns=["a", "b"]), pandas.Series(Y, name="out")
    options: dict[str, Any] = {"hidden": [2], "iterations": 5}
    model = relufit.train(frame, targets, **options).model
    assert (model.input_names, model.target_names) == (["a", "b"], ["out"])
    np.testing.assert_array_equal(model.predict(frame[["b", "a"]]), model.predict(X))
    chosen = relufit.train(frame, targets, input_names=["b", "a"], **options).model
    np.testing.assert_array_equal(
        chosen.predict(frame), relufit.train(X[:, ::-1], Y, **options).model.predict(X[:, ::-1])
    )
    assert relufit.train(frame, targets > 0, loss="logistic", **options).model.classification.label == "out"
    with pytest.raises(ValueError, match="inputs: a frame without 'c'"):
        relufit.train(frame, targets, input_names=["a", "c"], **options)
    with pytest.raises(ValueError, match="init: a model with the inputs a, b, expected b, a"):
        relufit.train(frame[["b", "a"]], targets, init=model, **options)


@pytest.mark.parametrize(
    "names, message",
    [
        (["a", ""], r"input_names\[1\]: empty, expected a name"),
        (["a", "a"], r"input_names\[1\]: 'a' is repeated|unique column names"),  # scikit-learn's own words
        (["a", "\udce9"], r"input_names\[1\]: .*, expected text that UTF-8 can hold"),
    ],
)
def test_names_that_no_file_could_hold_are_refused_before_training(names: list[str], message: str) -> None:
    frame = pandas.DataFrame(X, columns=pandas.Index(names, dtype=object))
    for fit in (
        lambda: ReluRegressor((2,)).fit(frame, Y),
        lambda: ReluRegressor((2,)).fit(frame, np.ones(30)),
        lambda: ReluClassifier((2,)).fit(frame, Y > 0),
        lambda: relufit.train(frame, Y, [2]),
        lambda: relufit.train(X, Y, [2], input_names=names),
    ):
        with pytest.raises(ValueError, match=message):
            fit()
    if names[1] != "\udce9":
        with pytest.raises(ValueError, match=message):
            relufit.Model([(np.ones((1, 2)), np.zeros(1))], input_names=names)


@pytest.mark.parametrize("name", ["", None, "out"])
def test_a_target_without_a_name_gets_one(name: str | None, tmp_path: Path) -> None:
    targets = pandas.Series(Y, name=name)
    for estimator, y in ((ReluRegressor((2,), max_iter=5), targets), (ReluClassifier((2,), max_iter=5), targets > 0)):
        model = estimator.fit(X, y).model_
        model.save(tmp_path / "model.json")
        default = "y0" if model.classification is None else "class"
        found = model.target_names[0] if model.classification is None else model.classification.label
        assert found == (name or default)
