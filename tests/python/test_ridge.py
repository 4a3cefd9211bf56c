"""The ridge from the data, as users of the package see it."""

from __future__ import annotations

import numpy as np
import pytest
import relufit


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    inputs = generator.standard_normal((150, 4))
    return inputs, np.abs(inputs[:, 0]) + inputs[:, 1] + 0.3 * generator.standard_normal(150)


def test_the_choice_is_reported(data) -> None:
    result = relufit.train(*data, [5])
    choice = result.ridge_choice
    assert choice.ridge in choice.ridges and choice.ridges == sorted(choice.ridges, reverse=True)
    assert len(choice.held_out) == len(choice.standard_error) == len(choice.ridges)
    assert min(choice.held_out) >= choice.held_out[choice.ridges.index(choice.ridge)] / 1.002
    again = relufit.train(*data, [5], ridge=choice.ridge)
    assert again.ridge_choice is None
    np.testing.assert_array_equal(again.model.predict(data[0]), result.model.predict(data[0]))


def test_auto_and_none_mean_the_same_and_folds_count(data) -> None:
    automatic = relufit.train(*data, [5], ridge="auto").ridge_choice
    assert automatic.held_out == relufit.train(*data, [5], ridge=None).ridge_choice.held_out
    assert automatic.held_out != relufit.train(*data, [5], folds=3).ridge_choice.held_out


@pytest.mark.parametrize("option, value", [("ridge", "large"), ("ridge", -1), ("folds", 1), ("folds", 2.5)])
def test_what_is_refused(data, option: str, value) -> None:
    with pytest.raises(ValueError, match=f"{option}: .*{value}"):
        relufit.train(*data, [5], **{option: value})


def test_estimators_keep_the_path(data) -> None:
    inputs, targets = data
    estimator = relufit.ReluRegressor(hidden=(5,)).fit(inputs, targets)
    path = estimator.ridge_path_
    assert estimator.ridge_ in path["ridge"]
    assert path["held_out"].shape == path["ridge"].shape == path["standard_error"].shape
    assert relufit.ReluRegressor(hidden=(5,), ridge=0.1).fit(inputs, targets).ridge_path_ is None
    classifier = relufit.ReluClassifier(hidden=(5,)).fit(inputs, targets > 1)
    assert classifier.ridge_ in classifier.ridge_path_["ridge"]


def test_a_network_of_several_layers_is_not_left_constant(data) -> None:
    """For large ridges constants are the best that there is; the path goes on below them."""
    inputs, targets = data
    for activation in ("relu", "absolute", "leaky-relu", "maxout"):
        result = relufit.train(inputs, targets, [6, 4], activation=activation)
        assert result.evaluation.all.r2 > 0.5, activation


def test_rare_events_are_found() -> None:
    """3 % of one class: a relaxation that begins with all units idle does not end so."""
    generator = np.random.default_rng(1)
    inputs = generator.standard_normal((3000, 3))
    labels = inputs @ [1.0, 2.0, 0.5] + 0.5 * generator.standard_normal(3000) > 4.3
    result = relufit.train(inputs, labels, [10], loss="logistic")
    assert result.classes.log_loss < 0.5 * (-labels.mean() * np.log(labels.mean()))
