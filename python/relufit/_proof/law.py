"""Piecewise affine laws: regions A x <= b with u = K x + k, and whether they cover a polytope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .frame import Frame, finite_array, matrix_and_limits
from .programs import Cell, Programs

ROUNDING = 1e-12  # of a distance within the box [-1, 1]


@dataclass(frozen=True)
class Region:
    rows: np.ndarray
    limits: np.ndarray
    gain: np.ndarray
    offset: np.ndarray


def read_law(law: object, inputs: int, outputs: int) -> list[Region]:
    """Of tuples (A, b, K, k) for each region; ValueError says which does not fit."""
    if not isinstance(law, Iterable):
        raise ValueError(f"law: {type(law).__name__}, expected regions (A, b, K, k)")
    regions = []
    for number, given in enumerate(law):
        name = f"law, region {number}"
        try:
            rows, limits, gain, offset = given
        except (TypeError, ValueError):
            raise ValueError(f"{name}: expected (A, b, K, k)") from None
        polytope = matrix_and_limits(name, (rows, limits), inputs)
        gain = finite_array(f"{name}, K", gain, (outputs, inputs))
        regions.append(Region(*polytope, gain, finite_array(f"{name}, k", offset, (outputs,))))
    if not regions:
        raise ValueError("law: no region, expected at least 1")
    return regions


def check_cover(frame: Frame, regions: list[Region], tolerance: float) -> None:
    """ValueError with a point, unless every point of the polytope is proven to be in a region, wider by the tolerance.

    A piece of the polytope is empty, or the region that has its center is taken away from it, which leaves a piece
    beyond each of the region's sides. Every piece that is left in the end is proven to be empty, or else refused.
    """
    sides = [frame.constraints(region.rows, region.limits, tolerance) for region in regions]
    programs = Programs(len(frame.middle))
    pieces: list[tuple[Cell, frozenset[int]]] = [(frame.cell, frozenset())]
    missed: list[tuple[float, list[float]]] = []
    while pieces and not (missed and missed[-1][0] > ROUNDING):
        piece, taken = pieces.pop()
        empty, center = programs.enter(piece)
        if empty:
            continue
        middle = piece.middle() if center is None else center
        number, outside = _nearest(middle, sides, taken)
        if number is None:
            missed.append((outside, frame.points(middle).tolist()))
            continue
        rows, limits = sides[number]
        for k in range(len(limits)):
            beyond = piece.cut(np.vstack([rows[:k], -rows[k : k + 1]]), np.append(limits[:k], -limits[k]))
            pieces.append((beyond, taken | {number}))
    if missed:
        outside, x = max(missed)
        raise ValueError(
            f"law: x = {x} is not proven to be in a region, the nearest is {max(outside, 0) + tolerance:.1e} away, "
            "expected regions that cover the polytope, or a larger tolerance"
        )


def _nearest(
    point: np.ndarray, sides: list[tuple[np.ndarray, np.ndarray]], taken: frozenset[int]
) -> tuple[int | None, float]:
    """The region that the point is deepest in, or misses by rounding; None if there is none; and how far it is outside
    of the nearest."""
    depths = np.empty(len(sides))
    for number, (rows, limits) in enumerate(sides):
        norms = np.linalg.norm(rows, axis=1)
        depths[number] = ((limits - rows @ point) / np.where(norms > 0, norms, 1)).min(initial=np.inf)
    outside = -float(depths.max())
    depths[list(taken)] = -np.inf
    deepest = int(np.argmax(depths))
    return (deepest if depths[deepest] >= -ROUNDING else None), outside
