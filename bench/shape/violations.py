"""Falls of a function that should not fall, looked for from outside: predictions at pairs of points, nothing else.

A pair is a point of the data's box and the same with inputs that have a direction moved in it. Random pairs say how
often a function falls; ascent, a random walk of pairs that only keeps deeper falls, how deep. What is found is a proof of
a violation; what is not found proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Of the outputs' range. Trees and 32-bit networks round sums of values this size.
TOLERANCE = 1e-6
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Falls:
    share: float  # of the random pairs
    deepest: float  # of random pairs and of the ascent, of the outputs' range on the data


def _moved(
    points: np.ndarray, steps: np.ndarray, directions: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Every point moved in its directions, by shares `steps` of the way to the end of the box."""
    ends = np.where(directions > 0, high, low)
    return points + steps * (directions != 0) * (ends - points)


def _fall(predict: Predict, points: np.ndarray, moved: np.ndarray) -> np.ndarray:
    before, after = np.split(predict(np.vstack([points, moved])), 2)
    return before - after


def find_falls(
    predict: Predict, inputs: np.ndarray, directions: tuple[int, ...], seed: int, pairs: int = 20000, rounds: int = 60
) -> Falls:
    """`predict` takes (points, inputs) and returns (points,), which should rise in the directions."""
    rng = np.random.default_rng(seed)
    wanted = np.array(directions)
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    size = np.ptp(predict(inputs)) or 1.0
    # Half of the points are uniform in the box, half have each coordinate of some sample.
    points = rng.uniform(low, high, size=(pairs, len(low)))
    drawn = rng.integers(len(inputs), size=(pairs // 2, len(low)))
    points[: pairs // 2] = np.take_along_axis(inputs, drawn, axis=0)
    steps = rng.uniform(size=points.shape) * (rng.uniform(size=points.shape) < 0.5)
    falls = _fall(predict, points, _moved(points, steps, wanted, low, high)) / size
    share = float((falls > TOLERANCE).mean())
    best = np.argsort(-falls)[:200]
    points, steps, falls = points[best], steps[best], falls[best]
    for number in range(rounds):
        width = 0.3 * 0.95**number
        tried = np.clip(points + width * (high - low) * rng.normal(size=points.shape), low, high)
        tried_steps = np.clip(steps + width * rng.normal(size=steps.shape), 0, 1)
        found = _fall(predict, tried, _moved(tried, tried_steps, wanted, low, high)) / size
        better = found > falls
        points[better], steps[better], falls[better] = tried[better], tried_steps[better], found[better]
    deepest = float(falls.max())
    return Falls(share, deepest if deepest > TOLERANCE else 0.0)
