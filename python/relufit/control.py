"""Proofs for networks as controllers: the largest error against an explicit law, bounds of the outputs, invariance.

    law_error       how far a network is from a piecewise affine law, anywhere in a polytope
    output_range    the least and largest outputs over a polytope
    invariance      whether a closed loop x+ = A x + B F(x) + c stays in a polytope
    box             a box as a polytope

A polytope is a pair (A, b), the set of x with A x <= b: A (sides, inputs), b (sides,). What is proven holds in floating
point, for the network's function and as `predict` computes it (docs/control.md). Needs the package highspy.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ._core import Model
from ._proof.enclosure import Network
from ._proof.frame import Frame, contains, finite_array, framed, matrix_and_limits, moved_into
from ._proof.law import Region, check_cover, read_law
from ._proof.programs import rounding
from ._proof.search import Largest, Objectives, Root, Search

__all__ = ["Invariance", "LawError", "OutputRange", "box", "invariance", "law_error", "output_range"]


@dataclass(frozen=True)
class LawError:
    """Largest errors of a network against a law."""

    bound: float
    """No error of any output is above, anywhere in the polytope."""
    found: float
    """The largest that was found, at `point`, as `predict` computes it; -infinity, and nan, where none was tried."""
    point: np.ndarray
    """(inputs,): in the polytope and in the region of the law, up to the rounding of A x."""
    output_bounds: np.ndarray
    """(outputs,): the same for each output by itself."""
    output_found: np.ndarray
    """(outputs,)"""
    output_points: np.ndarray
    """(outputs, inputs)"""
    status: str
    """"complete", or "time_limit": the bounds hold, but may be far above what is attained."""
    cells: int
    """Parts of the polytope for which bounds were computed."""


@dataclass(frozen=True)
class OutputRange:
    """Outputs of a network over a polytope, (outputs,) each: proven and attained."""

    lower: np.ndarray
    """No output is below."""
    upper: np.ndarray
    """No output is above."""
    found_lower: np.ndarray
    """The least that was found, as `predict` computes it."""
    found_upper: np.ndarray
    lower_points: np.ndarray
    """(outputs, inputs): where."""
    upper_points: np.ndarray
    status: str
    """"complete", or "time_limit": the bounds hold, but may be far from what is attained."""
    cells: int


@dataclass(frozen=True)
class Invariance:
    """How far the successors of a polytope's points stay within its sides, (sides,) each."""

    status: str
    """"invariant": proven. "violated": `points` has one whose successor is outside. "open": neither, by rounding or by
    the time limit."""
    slack: np.ndarray
    """b_i - a_i'x+ of each side is not less, for any successor: >= 0 is the proof."""
    found: np.ndarray
    """The least slack found."""
    points: np.ndarray
    """(sides, inputs): where."""
    cells: int


def box(lower: ArrayLike, upper: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """(A, b) of the box lower <= x <= upper; both (inputs,), finite, the lower one first."""
    low = finite_array("lower", lower, (None,))
    high = finite_array("upper", upper, (len(low),))
    if (low > high).any():
        k = int(np.argmax(low > high))
        raise ValueError(f"lower: {low[k]} of x[{k}], expected at most upper, {high[k]}")
    unit = np.eye(len(low))
    return np.vstack([unit, -unit]), np.append(high, -low)


def law_error(
    model: Model,
    polytope: tuple[ArrayLike, ArrayLike],
    law: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]],
    *,
    tolerance: float = 1e-10,
    accuracy: float = 1e-6,
    time_limit: float = np.inf,
) -> LawError:
    """The largest error of a network against a piecewise affine law over a polytope: max over x of |F(x) - u(x)|.

    Parameters
    ----------
    model : Model
        Any layers and activations, skip connections too; no classification.
    polytope : pair (A, b)
        {x: A x <= b}, bounded: A (sides, inputs), b (sides,). `box` makes one.
    law : regions (A, b, K, k)
        u(x) = K x + k where A x <= b: K (outputs, inputs), k (outputs,). Where regions overlap each of their values
        counts. They must cover the polytope.
    tolerance : float
        Computed regions fit together up to rounding: they are taken as wider by this distance, >= 0, relative to the
        polytope's box.
    accuracy : float
        The search ends where bounds are within this share of what has been found, >= 0.
    time_limit : float
        Seconds, >= 0, after the regions are known to cover the polytope.

    Returns
    -------
    LawError
        `bound`, which holds however the search ends, and `found` at `point`, which is within `accuracy` of it, or
        within rounding, where `status` is "complete".

    Raises
    ------
    ValueError
        Names what does not fit: shapes, an empty or unbounded polytope, a point that is in no region.
    """
    frame = _frame(model, "polytope", polytope)
    limits = _options(tolerance=tolerance, accuracy=accuracy, time_limit=time_limit)
    regions = read_law(law, model.widths[0], model.widths[-1])
    check_cover(frame, regions, limits["tolerance"])
    roots = [_law_root(model, frame, region, limits["tolerance"]) for region in regions]
    result = _search(model, frame, roots, limits)
    outputs = model.widths[-1]
    signs = (result.found[outputs:] > result.found[:outputs]).astype(int)
    chosen = np.arange(outputs) + outputs * signs
    found, points = result.found[chosen], result.points[chosen]
    bounds = np.maximum(result.bounds.reshape(2, -1).max(axis=0), 0)
    worst = int(np.argmax(found))
    return LawError(
        float(bounds.max()), float(found[worst]), points[worst], bounds, found, points, result.status, result.cells
    )


def output_range(
    model: Model,
    polytope: tuple[ArrayLike, ArrayLike],
    *,
    accuracy: float = 1e-6,
    time_limit: float = np.inf,
) -> OutputRange:
    """The least and the largest value of each output over a polytope. Parameters and errors are those of `law_error`;
    of a classification the outputs are the scores."""
    frame = _frame(model, "polytope", polytope, scores=True)
    limits = _options(accuracy=accuracy, time_limit=time_limit)
    outputs = model.widths[-1]
    signs = np.vstack([np.eye(outputs), -np.eye(outputs)])
    none = np.zeros(2 * outputs)
    objectives = Objectives(signs, np.zeros((2 * outputs, len(frame.middle))), none, none)
    result = _search(model, frame, [_whole(model, frame, objectives, lambda _, predicted: predicted @ signs.T)], limits)
    return OutputRange(
        lower=-result.bounds[outputs:],
        upper=result.bounds[:outputs],
        found_lower=-result.found[outputs:],
        found_upper=result.found[:outputs],
        lower_points=result.points[outputs:],
        upper_points=result.points[:outputs],
        status=result.status,
        cells=result.cells,
    )


def invariance(
    model: Model,
    polytope: tuple[ArrayLike, ArrayLike],
    A: ArrayLike,
    B: ArrayLike,
    *,
    offset: ArrayLike | None = None,
    accuracy: float = 1e-6,
    time_limit: float = np.inf,
) -> Invariance:
    """Whether x+ = A x + B F(x) + c is in a polytope for every x in it.

    A is (inputs, inputs), B (inputs, outputs), the offset c (inputs,), default 0. Other parameters and errors are those
    of `law_error`. With a disturbance, x+ = A x + B F(x) + c + w, the polytope is invariant if the slack of each side
    a'x <= b is at least the largest a'w.
    """
    frame = _frame(model, "polytope", polytope)
    limits = _options(accuracy=accuracy, time_limit=time_limit)
    inputs, outputs = model.widths[0], model.widths[-1]
    transition = finite_array("A", A, (inputs, inputs))
    effect = finite_array("B", B, (inputs, outputs))
    constant = finite_array("offset", np.zeros(inputs) if offset is None else offset, (inputs,))
    sides = frame.rows
    gain, slopes = sides @ effect, sides @ transition
    offsets = sides @ constant - frame.limits
    # Products of three are rounded twice; F is no larger than its range.
    reach = output_range(model, polytope, time_limit=0)
    largest = np.maximum(np.abs(reach.lower), np.abs(reach.upper))
    sizes = np.abs(sides) @ (
        np.abs(transition) @ (np.abs(frame.middle) + frame.radius) + np.abs(effect) @ largest + np.abs(constant)
    )
    margins = 4 * rounding(inputs + outputs) * (sizes + np.abs(frame.limits))
    objectives = Objectives(gain, frame.slopes(slopes), slopes @ frame.middle + offsets, margins)

    def excess(points: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        successors = points @ transition.T + predicted @ effect.T + constant
        return successors @ sides.T - frame.limits

    result = _search(model, frame, [_whole(model, frame, objectives, excess)], limits)
    proven, outside = (result.bounds <= 0).all(), (result.found > margins).any()
    status = "invariant" if proven else "violated" if outside else "open"
    return Invariance(status, -result.bounds, -result.found, result.points, result.cells)


def _frame(model: object, name: str, polytope: object, scores: bool = False) -> Frame:
    if not isinstance(model, Model):
        raise ValueError(f"model: {type(model).__name__}, expected a relufit.Model")
    if model.classification is not None and not scores:
        raise ValueError("model: of classes, expected one whose outputs are numbers")
    return framed(name, *matrix_and_limits(name, polytope, model.widths[0]))


def _options(**values: object) -> dict[str, float]:
    """All of them numbers >= 0; ValueError otherwise."""
    for name, value in values.items():
        if not isinstance(value, numbers.Real) or not value >= 0:
            raise ValueError(f"{name}: {value!r}, expected a number >= 0")
    return {name: float(value) for name, value in values.items()}  # type: ignore[arg-type]


def _whole(
    model: Model, frame: Frame, objectives: Objectives, values: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Root:
    return Root(frame.cell, objectives, _evaluation(model, frame, (frame.rows, frame.limits), values))


def _law_root(model: Model, frame: Frame, region: Region, tolerance: float) -> Root:
    """Errors F - u and u - F of each output, where the region and the polytope meet."""
    outputs = len(region.offset)
    signs = np.vstack([np.eye(outputs), -np.eye(outputs)])
    margins = 2 * rounding(len(frame.middle)) * (np.abs(region.offset) + frame.sizes(region.gain))
    offsets = region.offset + region.gain @ frame.middle
    objectives = Objectives(signs, -signs @ frame.slopes(region.gain), -signs @ offsets, np.tile(margins, 2))
    rows, limits = frame.constraints(region.rows, region.limits, tolerance)

    def errors(points: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        difference = predicted - (points @ region.gain.T + region.offset)
        return np.hstack([difference, -difference])

    both = np.vstack([frame.rows, region.rows]), np.append(frame.limits, region.limits)
    return Root(frame.cell.cut(rows, limits), objectives, _evaluation(model, frame, both, errors))


def _evaluation(
    model: Model,
    frame: Frame,
    polytope: tuple[np.ndarray, np.ndarray],
    values: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """From points d to raw points of a polytope and values(points, predicted), -infinity where that fails."""

    def evaluate(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = moved_into(*polytope, frame.points(d))
        inside = contains(*polytope, points)
        return points, np.where(inside[:, np.newaxis], values(points, model.predict(points)), -np.inf)

    return evaluate


def _search(model: Model, frame: Frame, roots: list[Root], limits: dict[str, float]) -> Largest:
    search = Search(
        Network(model, frame), len(roots[0].objectives.offsets), len(frame.middle), limits["accuracy"],
        limits["time_limit"],
    )  # fmt: skip
    return search.run(roots)
