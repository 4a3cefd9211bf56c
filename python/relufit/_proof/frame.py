"""A polytope that a user gives, its box, and coordinates in which the box is [-1, 1] or less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .programs import EPSILON, Cell, Programs, new_solver, rounding

PASSES = 3


def matrix_and_limits(name: str, pair: object, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """(A, b) of A x <= b as arrays of doubles; ValueError otherwise."""
    try:
        given_rows, given_limits = pair  # type: ignore[misc]
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a pair (A, b) of A x <= b") from None
    rows = finite_array(f"{name}, A", given_rows, (None, columns))
    return rows, finite_array(f"{name}, b", given_limits, (len(rows),))


def finite_array(name: str, values: ArrayLike, shape: tuple[int | None, ...]) -> np.ndarray:
    """As doubles of a shape, in which None is any length; ValueError otherwise."""
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {type(values).__name__}, expected numbers") from None
    fits = len(array.shape) == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape))
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name}: shape {array.shape}, expected ({wanted})")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: not finite")
    return array


def powers_of_two(sizes: np.ndarray) -> np.ndarray:
    """The least above each size; 1 for 0. Products with them are exact."""
    return np.ldexp(1.0, np.frexp(np.where(sizes > 0, sizes, 0.5))[1])


@dataclass(frozen=True)
class Frame:
    """Coordinates x = middle + radius d, radius a power of two, in which a polytope lies in [-1, 1]."""

    middle: np.ndarray
    radius: np.ndarray
    rows: np.ndarray  # of the polytope, as given
    limits: np.ndarray
    cell: Cell  # the polytope in these coordinates

    def points(self, d: np.ndarray) -> np.ndarray:
        return self.middle + self.radius * d

    def slopes(self, rows: np.ndarray) -> np.ndarray:
        """Rows of d in place of those of x, exactly."""
        return rows * self.radius

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """What no sum of |a_k x_k| over the box is above."""
        return np.abs(rows) @ (np.abs(self.middle) + self.radius)

    def constraints(self, rows: np.ndarray, limits: np.ndarray, tolerance: float = 0) -> tuple[np.ndarray, np.ndarray]:
        """G, g for A x <= b, wider by rounding, and by a tolerance in the length of d; without rows 0 <= b that hold."""
        says = (rows != 0).any(axis=1) | (limits < 0)
        rows, limits = rows[says], limits[says]
        slopes = self.slopes(rows)
        size = powers_of_two(np.abs(slopes).max(axis=1, initial=0))
        slopes = slopes / size[:, np.newaxis]
        margin = rounding(len(self.middle)) * (np.abs(limits) + self.sizes(rows)) / size
        shifted = (limits - rows @ self.middle) / size
        return slopes, shifted + margin + tolerance * np.linalg.norm(slopes, axis=1)


def contains(rows: np.ndarray, limits: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether A x <= b for raw points, up to the rounding of A x, which `Frame.constraints` allows for."""
    margin = rounding(points.shape[1]) / 4 * (np.abs(points) @ np.abs(rows).T + np.abs(limits))
    return (points @ rows.T <= limits + margin).all(axis=1)


def moved_into(rows: np.ndarray, limits: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Raw points that are outside by little, projected onto the sides that they miss, some times."""
    squares = np.einsum("ij,ij->i", rows, rows)
    for _ in range(PASSES):
        if contains(rows, limits, points).all():
            break
        for row, limit, square in zip(rows, limits, squares):
            if square > 0:
                points = points - np.outer(np.maximum(points @ row - limit, 0) / square, row)
    return points


def framed(name: str, rows: np.ndarray, limits: np.ndarray) -> Frame:
    """ValueError where the polytope is empty or not bounded."""
    lower, upper = _box(name, rows, limits)
    middle = lower + (upper - lower) / 2
    radius = powers_of_two(np.maximum(upper - middle, middle - lower) * (1 + 4 * EPSILON))
    empty = Cell(np.empty((0, len(middle))), np.empty(0), *((end - middle) / radius for end in (lower, upper)))
    frame = Frame(middle, radius, rows, limits, empty)
    wide = rounding(0)
    cell = empty.cut(*frame.constraints(rows, limits))
    cell = Cell(cell.rows, cell.limits, np.maximum(cell.lower - wide, -1), np.minimum(cell.upper + wide, 1))
    if Programs(len(middle)).enter(cell)[0]:
        raise ValueError(f"{name}: empty, no x has A x <= b")
    return Frame(middle, radius, rows, limits, cell)


def _box(name: str, rows: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of every coordinate. With y >= 0 and r = e - A'y, +-x_k <= y'b + |r|'|x|; |x| is bounded by the largest
    y'b of all coordinates and signs where the sums of |r| are below 1."""
    highspy, solver = new_solver()
    dimension = rows.shape[1]
    sizes = powers_of_two(np.abs(rows).max(axis=1, initial=0))
    scaled, right = rows / sizes[:, np.newaxis], limits / sizes
    solver.addVars(dimension, np.full(dimension, -highspy.kHighsInf), np.full(dimension, highspy.kHighsInf))
    columns = np.arange(dimension, dtype=np.int32)
    for row, limit in zip(scaled, right):
        solver.addRow(-highspy.kHighsInf, limit, dimension, columns, row)
    solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
    bounds, residuals = [], []
    for costs in (*np.eye(dimension), *-np.eye(dimension)):
        solver.changeColsCost(dimension, columns, costs)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise ValueError(f"{name}: empty, no x has A x <= b")
        y = np.maximum(np.array(solver.getSolution().row_dual), 0) if len(right) else np.zeros(0)
        if status != highspy.HighsModelStatus.kOptimal:
            y = np.zeros(len(right))
        margin = rounding(len(right) + dimension)
        bounds.append(y @ right + margin * (y @ np.abs(right)))
        residuals.append(np.abs(costs - y @ scaled) + margin * (np.abs(costs) + y @ np.abs(scaled)))
    share = np.sum(residuals, axis=1)
    if share.max() > 0.5:
        k = int(np.argmax(share))
        way = "above" if k < dimension else "below"
        raise ValueError(f"{name}: not bounded, x[{k % dimension}] has no bound {way}")
    largest = 2 * np.abs(bounds).max()
    ends = np.array(bounds) + share * largest
    ends += rounding(0) * np.abs(ends)
    if (-ends[dimension:] > ends[:dimension]).any():
        raise ValueError(f"{name}: empty, no x has A x <= b")
    return -ends[dimension:], ends[:dimension]
