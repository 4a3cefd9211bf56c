"""Polytopes, laws and largest values by other means than branch and bound."""

from __future__ import annotations

import itertools

import numpy as np
import relufit
from scipy.optimize import Bounds, LinearConstraint, milp

Region = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def one_layer(seed: int, inputs: int, units: int, outputs: int = 1) -> relufit.Model:
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(units, inputs)), rng.normal(size=units)
    return relufit.Model([hidden, (rng.normal(size=(outputs, units)), rng.normal(size=outputs))])


def law_values(law: list[Region], points: np.ndarray, tolerance: float = 1e-9) -> np.ndarray:
    """(points, outputs), nan where there is no region."""
    values = np.full((len(points), len(law[0][3])), np.nan)
    for rows, limits, gain, offset in law:
        inside = (points @ rows.T <= limits + tolerance).all(axis=1)
        values[inside] = points[inside] @ gain.T + offset
    return values


def random_law(seed: int, inputs: int, outputs: int, cuts: int) -> list[Region]:
    """Regions by the signs of some random functions, one affine function in each: not continuous."""
    rng = np.random.default_rng(seed)
    rows, limits = rng.normal(size=(cuts, inputs)), rng.normal(size=cuts)
    return [
        (signs[:, np.newaxis] * rows, signs * limits, rng.normal(size=(outputs, inputs)), rng.normal(size=outputs))
        for signs in map(np.array, itertools.product((-1.0, 1.0), repeat=cuts))
    ]


def law_of(model: relufit.Model) -> list[Region]:
    """The function of a network with one layer of ReLUs and no scalings, by its patterns: its own regions."""
    (weights, bias), (after, constant) = model.layers
    law = []
    for active in itertools.product((0.0, 1.0), repeat=len(bias)):
        signs = 1 - 2 * np.array(active)
        gain = (after * active) @ weights
        law.append((signs[:, np.newaxis] * weights, -signs * bias, gain, (after * active) @ bias + constant))
    return law


def vertices(rows: np.ndarray, limits: np.ndarray, among: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Of the polytope cut by the lines (points) among x = offsets: all points where enough of them meet within it."""
    lines, right = np.vstack([rows, among]), np.append(limits, offsets)
    found = []
    for chosen in map(list, itertools.combinations(range(len(right)), rows.shape[1])):
        if abs(np.linalg.det(lines[chosen])) > 1e-12:
            point = np.linalg.solve(lines[chosen], right[chosen])
            if (rows @ point <= limits + 1e-9).all():
                found.append(point)
    return np.array(found)


def largest_error_at_vertices(
    model: relufit.Model, rows: np.ndarray, limits: np.ndarray, law: list[Region]
) -> np.ndarray:
    """Per output; one layer of ReLUs: F - u is affine between all of their lines."""
    weights, bias = model.layers[0]
    worst = np.zeros(model.widths[-1])
    for a, b, gain, offset in law:
        points = vertices(np.vstack([rows, a]), np.append(limits, b), weights, -bias)
        if len(points):
            errors = np.abs(model.predict(points) - points @ gain.T - offset)
            worst = np.maximum(worst, errors.max(axis=0))
    return worst


def maximum_by_milp(model: relufit.Model, lower: np.ndarray, upper: np.ndarray, output: int) -> float:
    """Of an output of a ReLU network over a box: max(0, z) by a binary variable each, bounds of z by intervals."""
    *hidden, (last, constant) = ((np.array(w), np.array(b)) for w, b in model.folded().layers)
    total = len(lower) + 2 * sum(len(bias) for _, bias in hidden)
    least, most, integral = np.zeros(total), np.ones(total), np.zeros(total)
    values, end = slice(0, len(lower)), len(lower)
    least[values], most[values] = lower, upper
    constraints = []
    for weights, bias in hidden:
        up, down = np.maximum(weights, 0), np.minimum(weights, 0)
        low = up @ least[values] + down @ most[values] + bias - 1
        high = up @ most[values] + down @ least[values] + bias + 1
        ours, on = slice(end, end + len(bias)), slice(end + len(bias), end + 2 * len(bias))
        most[ours], integral[on] = np.maximum(high, 0), 1
        rows = np.zeros((len(bias), total))
        rows[:, values], rows[:, ours] = -weights, np.eye(len(bias))
        constraints.append(LinearConstraint(rows, bias, np.inf))  # h >= z
        above, off = rows.copy(), np.zeros_like(rows)
        above[:, on] = np.diag(-low)
        constraints.append(LinearConstraint(above, -np.inf, bias - low))  # h <= z - l (1 - on)
        off[:, ours], off[:, on] = np.eye(len(bias)), np.diag(-np.maximum(high, 0))
        constraints.append(LinearConstraint(off, -np.inf, 0))  # h <= u on
        values, end = ours, on.stop
    costs = np.zeros(total)
    costs[values] = -last[output]
    result = milp(costs, constraints=constraints, integrality=integral, bounds=Bounds(least, most))
    assert result.success
    return -result.fun + constant[output]


def grid(lower: np.ndarray, upper: np.ndarray, points: int) -> np.ndarray:
    axes = [np.linspace(low, high, points) for low, high in zip(lower, upper)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(lower))
