"""Several quantiles as the outputs of one network, none of which crosses another for any input.

The network is made of parts, each with hidden units of its own. One part is the quantile nearest to the median,
trained as it is alone. Every other quantile is its neighbour on the side of the median plus (below it: minus) an
increment

    d(x) = v' h(x),    v >= 0, and h(x) >= 0 the values of the last hidden units of its part,

trained on the residuals of that neighbour, of which it is a quantile. With the units of all parts in h the outputs are
z = W h(x) + b, and the rows of W and entries of b are in order, entry by entry: since h >= 0, so are the outputs for
every x. The weights prove it.

Rounding does not undo that. A sum of n products and a bias, in whatever order, is within (n + 1) u of the sum S of the
sizes of its terms, u = 2^-53. The rows are made to differ by at least c of the size of either entry, c = 8 (n + 1) u,
so that the exact difference D of two outputs is at least c S, with S that of the one nearer to the median. The sizes of
the other sum to at most S + D: the computed difference is at least D - (n + 1) u (2 S + D)
>= (1 - 1/4 - (n + 1) u) D >= 0.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from ._core import Model, TrainResult
from ._estimator import ridge_path

Layers = list[tuple[np.ndarray, np.ndarray]]

_NOT_NEGATIVE = ("relu", "absolute", "clipped-relu")


def check_quantiles(estimator: Any, targets: int) -> list[float]:
    """The levels as floats. ValueError where they are not rising in (0, 1), or the other parameters do not allow it."""
    levels = [float(level) for level in estimator.loss_parameter]
    if not levels or not all(0 < level < 1 for level in levels) or any(b <= a for a, b in zip(levels, levels[1:])):
        raise ValueError(f"loss_parameter: {estimator.loss_parameter!r}, expected rising quantiles in (0, 1)")
    if targets != 1:
        raise ValueError(f"y: {targets} columns with several quantiles, expected 1")
    if isinstance(estimator.hidden, str):
        raise ValueError(f"hidden: {estimator.hidden!r} with several quantiles, expected numbers")
    if np.size(estimator.hidden) == 0:
        raise ValueError("hidden: no layer with several quantiles, expected one: lines cross unless they are parallel")
    for name, expected in (
        ("activation", _NOT_NEGATIVE),
        ("skip_connections", (False,)),
        ("bias", (True,)),
        ("constraints", (None,)),
        ("weight_grid", (0,)),
        ("init", ("random", "zero")),
        ("warm_start", (False,)),
    ):
        value = getattr(estimator, name)
        if not isinstance(value, (str, bool, int, float, type(None))) or value not in expected:
            raise ValueError(f"{name}: {value!r} with several quantiles, expected {', '.join(map(repr, expected))}")
    return levels


def fit_quantiles(
    estimator: Any, X: np.ndarray, targets: np.ndarray, name: str, weights: np.ndarray | None, validation: Any
) -> Model:
    """The network of the estimator's quantiles, trained with its parameters; sets the estimator's other attributes.

    Targets are (samples, 1), those of validation samples too. Parts are trained on standardized inputs, increments with
    a further column of ones in place of biases.
    """
    levels = check_quantiles(estimator, targets.shape[1])
    y = targets[:, 0]
    offset, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    inputs = (X - offset) / scale
    fraction = validation
    if isinstance(validation, tuple):  # what increments would choose by them is given
        validation, fraction = ((validation[0] - offset) / scale, *validation[1:]), None
    trainings = _Trainings(estimator, weights, 2 * len(levels) - 1)
    names = [f"{name} q{level:g}" for level in levels]
    kind = {name: getattr(estimator, name) for name in ("activation", "activation_parameter")}
    kind["categories"] = estimator._categories
    if np.ptp(y) == 0:
        _record(estimator, levels, [None] * len(levels))
        widths = [X.shape[1], *np.atleast_1d(estimator.hidden).astype(int).tolist(), len(levels)]
        layers = [(np.zeros((after, before)), np.zeros(after)) for before, after in zip(widths, widths[1:])]
        layers[-1] = (layers[-1][0], np.full(len(levels), y[0]))
        return Model(layers, input_names=estimator._names(X), target_names=names, **kind)

    middle = _middle(levels)
    first = trainings.run(inputs, y, validation=validation, loss_parameter=levels[middle])
    with_ones = np.column_stack([inputs, np.ones(len(inputs))])
    found: dict[int, TrainResult | None] = {middle: first}
    for side in (1, -1):
        outputs = first.model.predict(inputs)[:, 0]
        for k in range(middle + side, len(levels) if side > 0 else -1, side):
            residuals, increment = side * (y - outputs), None
            if np.ptp(residuals) > 1e-12 * np.abs(y).max():  # else there is nothing left but rounding
                level = levels[k] if side > 0 else 1 - levels[k]
                increment = trainings.run_increment(with_ones, residuals, level, fraction)
                outputs = outputs + side * increment.model.predict(with_ones)[:, 0]
            found[k] = increment
    results = [found[k] for k in range(len(levels))]
    _record(estimator, levels, results)
    layers = _assembled([part and _part(part.model, k == middle) for k, part in enumerate(results)], middle)
    return Model(layers, input_scaling=(offset, scale), input_names=estimator._names(X), target_names=names, **kind)


def _middle(levels: Sequence[float]) -> int:
    """The quantile nearest to the median."""
    return int(np.argmin(np.abs(np.array(levels) - 0.5)))


def _record(estimator: Any, levels: Sequence[float], results: list[TrainResult | None]) -> None:
    choices = [result and result.ridge_choice for result in results]
    estimator.ridge_ = [choice.ridge if choice else estimator.ridge for choice in choices]
    estimator.ridge_path_ = [ridge_path(choice) for choice in choices]
    middle = results[_middle(levels)]
    estimator.trace_ = middle.trace if middle else {}
    estimator.n_iter_ = int(middle.trace["iteration"][-1]) if middle else 1
    interrupted = any(result is not None and result.status == "interrupted" for result in results)
    estimator.status_ = "interrupted" if interrupted else middle.status if middle else "converged"


class _Trainings:
    """Trainings with an estimator's parameters, which share its time limit."""

    def __init__(self, estimator: Any, weights: np.ndarray | None, most: int) -> None:
        self._estimator, self._weights, self._left = estimator, weights, most
        self._end = time.monotonic() + estimator.time_limit

    def run(self, inputs: np.ndarray, target: np.ndarray, **options: Any) -> TrainResult:
        if self._estimator.time_limit > 0:
            options["time_limit"] = max((self._end - time.monotonic()) / self._left, 1e-3)
        self._left -= 1
        names = [f"x{i}" for i in range(inputs.shape[1])]
        return self._estimator._result(
            inputs, target, ["y"], sample_weight=self._weights, input_names=names, categorical=None, **options
        )

    def run_increment(
        self, inputs: np.ndarray, residuals: np.ndarray, level: float, fraction: float | None
    ) -> TrainResult:
        """That quantile of the residuals, in a network without biases whose output weights are not negative.

        It starts from the mean size of the residuals, which has much the same form: squared errors lead to a network
        of this form more surely, and sooner, than those of a quantile from a random one.
        """
        constraints = {"weights": [{"layer": np.size(self._estimator.hidden) + 1, "lower": 0}]}
        options: dict[str, Any] = {"bias": False, "constraints": constraints, "validation": fraction}
        sizes = np.abs(residuals)
        if np.ptp(sizes) > 0:
            start = self.run(inputs, sizes, loss="squared", loss_parameter=None, **options)
            options.update(init=start.model, starts=1)
        return self.run(inputs, residuals, loss_parameter=level, **options)


def _part(model: Model, is_middle: bool) -> Layers:
    """Layers on scaled inputs; of an increment the weights of the ones are biases."""
    layers = [(np.array(weights), np.array(bias)) for weights, bias in model.folded().layers]
    if not is_middle:
        weights, bias = layers[0]
        layers[0] = (np.ascontiguousarray(weights[:, :-1]), bias + weights[:, -1])
    return layers


def _assembled(parts: list[Layers | None], middle: int) -> Layers:
    """One network of the parts, side by side, with rows of output weights in order."""
    given = {k: part for k, part in enumerate(parts) if part is not None}
    hidden = []
    for depth in range(len(given[middle]) - 1):
        weights = [part[depth][0] for part in given.values()]
        stacked = np.vstack(weights) if depth == 0 else block_diag(*weights)
        hidden.append((stacked, np.concatenate([part[depth][1] for part in given.values()])))
    units = len(hidden[-1][1])
    own, first = {}, 0  # the columns of every part, the bias being the last of all
    for k, part in given.items():
        own[k] = [*range(first, first + part[-1][0].shape[1]), units]
        first = own[k][-2] + 1
    rows = np.zeros((len(parts), units + 1))
    rows[middle, own[middle]] = np.append(*given[middle][-1])
    least = 8 * (units + 1) * 2.0**-53
    for side in (1, -1):
        for k in range(middle + side, len(parts) if side > 0 else -1, side):
            before = rows[k - side]
            increment = np.zeros(units + 1)
            if k in given:
                increment[own[k]] = np.maximum(np.append(*given[k][-1]), 0)
            rows[k] = before + side * np.maximum(increment, least * np.abs(before))
    return [*hidden, (np.ascontiguousarray(rows[:, :-1]), rows[:, -1].copy())]
