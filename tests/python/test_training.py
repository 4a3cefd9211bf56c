"""Training from Python: options, callbacks, interrupts, threads."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import relufit
from relufit import core

LONG = {"iterations": 10**9, "stall_window": 0, "tolerance": 1e-300}  # runs until it is stopped


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    _, inputs, targets = core.make_teacher([3, 3, 2], "linear", 60, 5)
    return inputs, targets


def test_exact_fit_and_its_result(data) -> None:
    inputs, targets = data
    result = relufit.train(inputs, targets, [3], loss="exact", starts=5)
    assert result.status == "converged"
    assert result.model.training.strategy == "search"
    np.testing.assert_allclose(result.model.predict(inputs), targets, atol=1e-7)
    measured = np.linalg.norm(result.model.predict(inputs) - targets) / np.linalg.norm(targets)
    assert result.evaluation.all.relative_residual == pytest.approx(measured)
    assert len(result.evaluation.per_target) == 2
    assert len(result.starts) == 5 and result.starts[result.best_start].ran


def test_trace_has_one_value_per_record(data) -> None:
    result = relufit.train(*data, [3], iterations=40, record_interval=4, polish=False)
    assert list(result.trace["iteration"]) == list(range(4, 41, 4))
    for name in ("objective", "merit", "loss", "pair", "product", "fit", "inner_iterations", "seconds"):
        assert result.trace[name].shape == (10,) and np.isfinite(result.trace[name]).all()
    assert result.trace["product"][-1] == result.starts[0].violations.product


def test_options_reach_the_library(data) -> None:
    base = {"iterations": 20, "ridge": 3e-3, "polish": False}
    train = lambda **options: relufit.train(*data, [3], **(base | options))  # noqa: E731
    summary = lambda result: (*result.trace["fit"], result.evaluation.all.relative_residual)  # noqa: E731
    fits = {
        name: summary(train(**options))
        for name, options in {
            "default": {},
            "defaults named": {"lambda_pair": 100, "lambda_product": 100, "inner_iterations": 5, "folds": 5},
            "seed": {"seed": 1},
            "ridge": {"ridge": 0.1},
            "automatic ridge": {"ridge": "auto"},
            "lambda_pair": {"lambda_pair": 10},
            "lambda_product": {"lambda_product": 10},
            "pair_scale": {"pair_scale": 0.5},
            "left_scale": {"left_scale": 0.5},
            "right_scale": {"right_scale": 0.5},
            "inner": {"inner_iterations": 3},
            "to the end": {"inner_iterations": 0},
            "reweighted": {"strategy": "reweighted"},
            "continuation": {"strategy": "continuation"},
            "continuation, 3": {"strategy": "continuation", "inner_iterations": 3},
            "random_scale": {"random_scale": 0.5},
            "zero": {"init": "zero"},
            "polish": {"polish": True},
            "bias": {"bias": False},
            "lasso": {"lasso": 0.01},
            "group lasso": {"group_lasso": 0.01},
            "nuclear": {"nuclear": 0.01},
            "constraints": {"constraints": {"convex": True}},
            "exact": {"loss": "exact", "method": "relaxation"},
        }.items()
    }
    assert fits.pop("default") == fits["defaults named"]
    assert len(set(fits.values())) == len(fits)


def test_starts_from_a_model() -> None:
    """From the true network the first convex problem already has the exact fit as its solution."""
    teacher, inputs, targets = core.make_teacher([3, 3, 2], "linear", 60, 5)
    options = {"loss": "exact", "method": "relaxation", "inner_iterations": 0, "iterations": 1, "polish": False}
    assert relufit.train(inputs, targets, [3], init=teacher, **options).evaluation.all.relative_residual < 1e-6
    assert relufit.train(inputs, targets, [3], init="random", **options).evaluation.all.relative_residual > 1e-3
    with pytest.raises(ValueError, match="init: the model's layers are 3-3-2, expected 3-4-2"):
        relufit.train(inputs, targets, [4], init=teacher)


def test_constraints_hold(data, tmp_path: Path) -> None:
    wanted = {
        "monotone": [{"input": "x1", "target": "y0", "direction": "increasing"}],
        "weights": [{"layer": 1, "lower": -2, "upper": 2}],
    }
    model = relufit.train(*data, [4], iterations=100, constraints=wanted).model
    path = tmp_path / "constraints.json"
    path.write_text(json.dumps(wanted))
    checks = core.check_constraints(core.load_constraints(path), model)
    assert len(checks) == 2 and all(check.holds and check.slack >= -1e-9 for check in checks)
    inputs = np.random.default_rng(0).standard_normal((200, 3))
    shifted = inputs + np.array([0, 0.5, 0])
    assert (model.predict(shifted)[:, 0] >= model.predict(inputs)[:, 0] - 1e-12).all()
    differences = np.linalg.norm(model.predict(shifted) - model.predict(inputs), axis=1)
    assert differences.max() <= 0.5 * core.lipschitz_bound(model)


def test_output_weights_are_held() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((200, 3))
    targets = np.maximum(inputs @ rng.standard_normal((3, 3)), 0).sum(axis=1)
    result = relufit.train(inputs, targets, [3], loss="exact", bias=False, fixed_output="ones")
    assert result.status == "converged" and result.model.training.strategy == "fixed-output"
    (hidden, shift), (weights, bias) = result.model.folded().layers
    np.testing.assert_array_equal(weights, np.ones((1, 3)))
    assert not shift.any() and not bias.any()


def test_group_lasso_removes_units(data) -> None:
    result = relufit.train(*data, [8], iterations=300, group_lasso=0.05)
    assert result.removed_units > 0
    assert result.model.widths == [3, 8 - result.removed_units, 2]


def test_result_does_not_depend_on_threads(data) -> None:
    models = [relufit.train(*data, [3], iterations=30, starts=3, threads=threads).model for threads in (1, 2, 3)]
    for model in models[1:]:
        for (weights, bias), (other, shift) in zip(models[0].layers, model.layers):
            assert np.array_equal(weights, other) and np.array_equal(bias, shift)


def test_callback_sees_every_record_in_this_thread(data) -> None:
    seen, ridges = [], []

    def callback(progress: core.TrainProgress) -> None:
        assert threading.current_thread() is threading.main_thread()
        if progress.tried_ridge is None:
            seen.append((progress.start, progress.iteration, progress.fit))
        else:
            assert not seen
            ridges.append((progress.tried_ridge, progress.loss))

    result = relufit.train(*data, [3], iterations=30, starts=3, threads=2, callback=callback)
    for number, start in enumerate(result.starts):
        own = [(iteration, fit) for which, iteration, fit in seen if which == number]
        assert own == list(zip(start.trace["iteration"], start.trace["fit"]))
    assert ridges == list(zip(result.ridge_choice.ridges, result.ridge_choice.held_out))


def test_callback_stops_training(data) -> None:
    count = []
    result = relufit.train(*data, [3], ridge=0, callback=lambda p: count.append(p) or len(count) < 3, **LONG)
    assert result.status == "interrupted"
    assert len(result.trace["fit"]) == len(count) == 3


def test_callback_stops_the_choice_of_the_ridge(data) -> None:
    ridges = []
    result = relufit.train(*data, [3], callback=lambda p: ridges.append(p.tried_ridge) or len(ridges) < 2)
    assert result.status == "interrupted"
    assert result.ridge_choice.ridges == ridges[:2]
    assert ridges[2:] in ([], [None])  # the start ends at its first record


def test_exception_of_a_callback_is_passed_on(data) -> None:
    def callback(progress: core.TrainProgress) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        relufit.train(*data, [3], callback=callback, **LONG)


@pytest.mark.parametrize(
    "options", [{"method": "relaxation"}, {"loss": "exact", "seed": 1}, {"starts": 4, "threads": 2}]
)
def test_interrupt_returns_the_best_network(options: dict) -> None:
    """Random targets cannot be fitted exactly: without the interrupt these would run for hours."""
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((200, 3)), rng.standard_normal((200, 1))
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    result = relufit.train(inputs, targets, [6], **options, **LONG)
    assert result.status == "interrupted"
    assert result.evaluation.all.relative_residual <= 1.2
    assert result.model.predict(inputs).shape == (200, 1)


def test_exception_of_a_signal_handler_is_passed_on(data) -> None:
    def handler(*_: object) -> None:
        raise TimeoutError("enough")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(TimeoutError, match="enough"):
            relufit.train(*data, [3], **LONG)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_other_threads_run_meanwhile(data) -> None:
    steps, done = [], threading.Event()

    def count() -> None:
        while not done.wait(0.01):
            steps.append(time.monotonic())

    thread = threading.Thread(target=count)
    thread.start()
    result = relufit.train(*data, [3], time_limit=0.5, **LONG)
    done.set()
    thread.join()
    assert result.status == "time limit"
    assert len(steps) > 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"hidden": [], "loss": "exact"}, "hidden: no layer with the exact loss"),
        ({"hidden": [0]}, "hidden: 0 units, expected at least 1"),
        ({"hidden": [2.5]}, r"hidden: \[2.5\], expected a sequence of whole numbers"),
        ({"loss": "cubic"}, "loss: 'cubic', expected one of exact, squared, absolute"),
        ({"loss": None}, "loss: None, expected the name of a loss"),
        ({"loss": "huber"}, "loss_parameter: None, the huber loss expects its delta, a number > 0"),
        ({"loss": "huber", "loss_parameter": 0}, "loss_parameter: 0, the huber loss expects"),
        ({"loss": "quantile", "loss_parameter": 1}, r"loss_parameter: 1, .* the quantile, a number in \(0, 1\)"),
        ({"loss": "quantile", "loss_parameter": "a"}, "loss_parameter: 'a', the quantile loss expects"),
        ({"loss_parameter": 1}, "loss_parameter: 1 with the loss 'squared', expected 'huber' or 'quantile'"),
        ({"loss": "absolute", "output_activation": "relu"}, "output_activation: 'relu' with the loss 'absolute'"),
        ({"loss": "exact", "sample_weight": np.ones(60)}, "sample_weight: given, expected none with the exact loss"),
        ({"sample_weight": -np.ones(60)}, "sample_weights: -1 for sample 1, expected a number >= 0"),
        ({"sample_weight": np.zeros(60)}, "sample_weights: all are 0"),
        ({"sample_weight": np.ones(59)}, "sample_weights: 59 values, expected 60"),
        ({"sample_weight": np.ones((60, 1))}, "sample_weight: 2 dimensions, expected 1"),
        ({"weight_grid": -1}, "weight_grid: -1, expected a number >= 0"),
        ({"weight_grid": "fine"}, "weight_grid: 'fine', expected a number"),
        ({"classes": ["a", "b"]}, "classes: given with the loss 'squared'"),
        ({"targets": ["a", "b"] * 30}, "targets: texts with the loss 'squared', expected numbers"),
        ({"constraints": {"outputs": [{"target": "y0", "upper": 1}]}, "loss": "exact"}, "output bounds"),
        ({"method": "magic"}, "method: 'magic', expected auto"),
        ({"method": "search"}, "method: 'search' needs the exact loss"),
        ({"method": "search", "loss": "exact", "polish": True}, "polish: not with method 'search'"),
        ({"method": "fixed-output"}, "method: 'fixed-output' needs fixed_output"),
        ({"fixed_output": "ones"}, "method: 'fixed-output' needs the exact loss"),
        ({"fixed_output": "ones", "method": "relaxation"}, "fixed_output: not with method 'relaxation'"),
        ({"lasso": -1}, "lasso: -1, expected a number >= 0"),
        ({"bias": 2}, "bias: 2, expected True or False"),
        ({"constraints": {"convex": "very"}}, "constraints"),
        ({"constraints": {"monotone": [{"input": "z", "target": "y0", "direction": "increasing"}]}}, "z"),
        ({"output_activation": "tanh"}, "'tanh' is not an output activation"),
        ({"ridge": -1}, "ridge: -1, expected a number >= 0"),
        ({"ridge": "much"}, "ridge: 'much', expected a number"),
        ({"polish": "very"}, "polish: 'very', expected True or False"),
        ({"seed": -1}, "seed: -1, expected a whole number from 0"),
        ({"seed": 0.5}, "seed: 0.5, expected a whole number"),
        ({"starts": 0}, "starts: 0, expected at least 1"),
        ({"iterations": 0}, ": 0, expected at least 1"),
        ({"strategy": "hopeful"}, "'hopeful'"),
        ({"inner_iterations": -1}, "inner_iterations: -1, expected at least 0"),
        ({"lambda_pair": 0}, "expected a number > 0"),
        ({"tolerance": -1e-3}, "tolerance: -0.001, expected a number > 0"),
        ({"time_limit": -1}, "time_limit: -1, expected a number >= 0"),
        ({"threads": 0}, "threads: 0, expected at least 1"),
        ({"init": "warm"}, "init: 'warm', expected 'random', 'zero' or a Model"),
        ({"init": "zero", "starts": 2}, "starts: 2, expected 1 when the start is not random"),
        ({"input_names": ["a"]}, "name"),
        ({"inputs": np.ones(5)}, "inputs: 1 dimensions, expected 2"),
        ({"targets": np.ones((3, 2))}, "samples"),
        ({"targets": np.ones((60, 1))}, "1 in all 60 samples"),
        ({"targets": np.full((60, 1), np.nan)}, "nan"),
    ],
)
def test_bad_arguments_are_refused(data, options: dict, message: str) -> None:
    arguments = {"inputs": data[0], "targets": data[1], "hidden": [3], **options}
    with pytest.raises(ValueError, match=message):
        relufit.train(**arguments)
