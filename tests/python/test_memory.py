"""The same numbers give the same bits, wherever and in whatever order they lie in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from models import random_classifier, random_inputs, random_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import relufit
from relufit import ReluClassifier, ReluRegressor

LINE = 64  # bytes of a cache line, and of the widest vectors


def copies(array: np.ndarray) -> Iterator[np.ndarray]:
    """Copies that begin 0, 8, ..., 56 bytes after a multiple of 64, with their rows or their columns together."""
    for order in "CF":
        for offset in range(0, LINE, array.itemsize):
            memory = np.empty(array.nbytes + 2 * LINE, dtype=np.uint8)
            start = -memory.ctypes.data % LINE + offset
            copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape, order=order)
            copy[...] = array
            assert copy.ctypes.data % LINE == offset
            yield copy


def forms(inputs: np.ndarray, targets: np.ndarray) -> Iterator[tuple[Any, Any]]:
    pandas = pytest.importorskip("pandas")
    yield from zip(copies(inputs), copies(targets))
    yield inputs.tolist(), targets.tolist()
    frame = pandas.DataFrame(inputs, columns=[f"x{i}" for i in range(inputs.shape[1])])
    yield frame, targets
    yield frame[frame.columns[::-1]][frame.columns], pandas.Series(targets, name="y0")


def bits(model: relufit.Model) -> bytes:
    return b"".join(np.ascontiguousarray(part).tobytes() for layer in model.layers for part in layer)


RNG = np.random.default_rng(0)
X = RNG.standard_normal((41, 3)) * [1.0, 30.0, 0.01] + [0.0, 2000.0, 0.0]
Y = np.abs(X[:, 0]) + 0.1 * RNG.standard_normal(41)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
EXACT = np.maximum(X[:, 0], 0)


@pytest.mark.parametrize(
    "targets, options",
    [
        (Y, {"loss": "squared"}),
        (Y, {"loss": "squared", "polish": True}),
        (Y, {"loss": "squared", "activation": "maxout", "skip_connections": True}),
        (Y, {"loss": "squared", "hidden": []}),
        (Y, {"loss": "squared", "strategy": "extrapolated", "hidden": [3, 2]}),
        (Y, {"loss": "squared", "group_lasso": 0.01, "threads": 2}),
        (Y, {"loss": "absolute"}),
        (Y, {"loss": "huber", "loss_parameter": 0.5}),
        (Y, {"loss": "quantile", "loss_parameter": 0.8}),
        (EXACT, {"loss": "exact"}),
        (EXACT, {"loss": "exact", "hidden": [2, 2]}),
        (EXACT, {"loss": "exact", "method": "relaxation"}),
        (EXACT, {"loss": "exact", "fixed_output": "ones"}),
        (CLASSES, {"loss": "cross-entropy"}),
        (CLASSES, {"loss": "hinge"}),
        (CLASSES > 0, {"loss": "logistic"}),
    ],
)
def test_training(targets: np.ndarray, options: dict) -> None:
    whole = targets.astype(np.int64) if targets.dtype.kind in "bi" else targets
    settings = {"hidden": [3], "iterations": 12, "target_names": ["y0"], **options}
    expected = bits(relufit.train(X, whole, **settings).model)
    for inputs, given in forms(X, whole):
        assert bits(relufit.train(inputs, given, **settings).model) == expected


@pytest.mark.parametrize(
    "estimator, targets",
    [
        *((ReluRegressor((3,), loss=loss, max_iter=12, random_state=0), Y) for loss in ("squared", "absolute")),
        (ReluRegressor((3,), loss="huber", loss_parameter=0.5, max_iter=12, random_state=0), Y),
        (ReluRegressor((2,), loss="exact", max_iter=12, random_state=0), EXACT),
        *(
            (ReluClassifier((3,), loss=loss, max_iter=12, random_state=0), CLASSES)
            for loss in ("cross-entropy", "hinge")
        ),
        (ReluClassifier((3,), loss="logistic", max_iter=12, random_state=0), (CLASSES > 0).astype(np.int64)),
    ],
)
def test_estimators(estimator: Any, targets: np.ndarray) -> None:
    estimator = clone(estimator)  # pytest keeps its own to the very end, when models must be gone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = bits(estimator.fit(X, targets).model_)
        predictions = estimator.predict(X)
        for inputs, given in forms(X, targets):
            assert bits(estimator.fit(inputs, given).model_) == expected
            np.testing.assert_array_equal(estimator.predict(inputs), predictions)


@pytest.mark.parametrize("seed", range(12))
def test_predictions(seed: int) -> None:
    for model in (random_model(seed, widest=9), random_classifier(seed, widest=9)):
        methods = [model.predict]
        if model.classification is not None:
            methods += [model.predict_labels] + [model.predict_proba] * (model.classification.link != "none")
        inputs = random_inputs(model, 23)
        for method in methods:
            expected = method(inputs)
            for given, _ in forms(inputs, inputs[:, 0]):
                np.testing.assert_array_equal(method(given), expected)
