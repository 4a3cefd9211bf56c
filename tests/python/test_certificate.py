"""relufit.certify: its arguments, and that a certificate holds for other networks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import relufit


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(30, 2))
    return inputs, np.abs(inputs[:, 0]) + 0.2 * rng.normal(size=30)


@pytest.fixture(scope="module")
def model(data) -> relufit.Model:
    return relufit.train(*data, [2], ridge=0.05).model


def test_tightened_network_is_better_and_proven(data, model) -> None:
    plain = relufit.certify(model, *data)
    tight = relufit.certify(model, *data, tighten=60)
    assert tight.objective <= plain.objective
    assert tight.gap < 0.02 and tight.status == "complete"
    assert relufit.certify(tight.model, *data).objective == pytest.approx(tight.objective, rel=1e-12)
    again = relufit.certify(model, *data, tighten=60, threads=2)
    assert (again.lower_bound, again.objective) == (tight.lower_bound, tight.objective)
    assert "gap" in repr(tight)


def test_estimators_models_can_be_certified(data) -> None:
    estimator = relufit.ReluRegressor(hidden=(3,), ridge=0.05, random_state=0).fit(*data)
    certificate = relufit.certify(estimator.model_, *data)
    assert 0 < certificate.lower_bound <= certificate.objective


def test_record_of_the_ridge_survives(model, tmp_path) -> None:
    model.save(tmp_path / "model.json")
    for again in (relufit.Model.load(tmp_path / "model.json"), pickle.loads(pickle.dumps(model))):
        assert again.training.ridge == 0.05
    assert relufit.TrainingRecord().ridge is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ridge": 0}, "ridge: 0, expected a number > 0"),
        ({"ridge": "auto"}, "ridge: 'auto', expected a number"),
        ({"accuracy": -1}, "accuracy: -1, expected a number > 0"),
        ({"tighten": -1}, "tighten: -1, expected a number >= 0"),
        ({"threads": 0}, "threads: 0, expected at least 1"),
        ({"threads": 1.5}, "threads: 1.5, expected a whole number"),
        ({"sample_weight": [1.0]}, "sample_weights: 1 values, expected 30"),
    ],
)
def test_bad_arguments_are_named(data, model, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        relufit.certify(model, *data, **arguments)


def test_other_models_are_refused(data) -> None:
    inputs, targets = data
    with pytest.raises(ValueError, match="2 hidden layers, expected 1"):
        relufit.certify(relufit.train(inputs, targets, [2, 2], ridge=0.1, iterations=2).model, inputs, targets)
    with pytest.raises(ValueError, match="loss absolute, expected squared or logistic"):
        relufit.certify(relufit.train(inputs, targets, [2], loss="absolute", ridge=0.1, iterations=2).model, *data)
    with pytest.raises(ValueError, match="targets: 29 samples, expected 30"):
        relufit.certify(relufit.train(inputs, targets, [2], ridge=0.1, iterations=2).model, inputs, targets[1:])
