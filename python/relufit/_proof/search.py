"""Branch and bound over the signs of a network's units: the largest values of several functions of its outputs."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .enclosure import Affine, Band, Network, relaxed_relu
from .frame import powers_of_two
from .programs import Cell, Programs, rounding

TINY = 1e-13  # of a unit's size: what a sign could change is left to the bounds


INWARDS = (0.0, 1e-12, 1e-10, 1e-9, 1e-8, 1e-6)


@dataclass(frozen=True)
class Objectives:
    """Functions C F(x) + L d + l, whose values are off by at most `margins`."""

    outputs: np.ndarray
    slopes: np.ndarray
    offsets: np.ndarray
    margins: np.ndarray

    def upper(self, outputs: Band) -> Affine:
        """Affine functions that they are not above."""
        values = outputs.linear(self.outputs, self.offsets).upper
        slopes = values.slopes + self.slopes
        own = Affine(slopes, values.offsets)
        margin = self.margins + rounding(1) * (own.sizes() + np.abs(self.slopes).sum(axis=1))
        return own.plus(margin)


@dataclass(frozen=True)
class Root:
    """Where to search for what; evaluate(points d) gives values (points, objectives), -infinity at points outside."""

    cell: Cell
    objectives: Objectives
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass
class Largest:
    """Per objective: a value that is attained, where, and what none is above."""

    found: np.ndarray
    points: np.ndarray
    bounds: np.ndarray
    status: str
    cells: int


@dataclass
class _Node:
    root: Root
    cell: Cell
    signs: list[np.ndarray]
    least: list[np.ndarray]  # of T z + t
    most: list[np.ndarray]
    bounds: np.ndarray
    kinks: list[Band] = field(default_factory=list)  # T z + t of every stage
    gaps: list[np.ndarray] = field(default_factory=list)  # how far z of an undecided unit goes to the side of less


class Search:
    """Best first: the node whose bound is farthest above what has been found is divided next."""

    def __init__(self, network: Network, objectives: int, dimension: int, accuracy: float, time_limit: float) -> None:
        self._network, self._accuracy = network, accuracy
        self._end = time.monotonic() + time_limit
        self._programs = Programs(dimension)
        self._found, self._closed = np.full(objectives, -np.inf), np.full(objectives, -np.inf)
        self._points = np.full((objectives, dimension), np.nan)
        self._open: list[tuple[float, int, _Node]] = []
        self._count, self._cells = itertools.count(), 0

    def run(self, roots: list[Root]) -> Largest:
        for root in roots:
            stages, infinite = self._network.stages, np.full(len(self._found), np.inf)
            signs = [np.zeros(stage.units, dtype=int) for stage in stages]
            ranges = [np.full(stage.units, np.inf) for stage in stages]
            node = _Node(root, root.cell, signs, [-r for r in ranges], ranges, infinite)
            # Without a linear program: what there is to say of a root that is never visited.
            outputs = self._network.outputs(lambda stage, z: self._relax(node, stage, z, programs=False))  # noqa: B023
            node.bounds = root.objectives.upper(outputs).largest(root.cell)
            self._push(_Node(root, root.cell, node.signs, node.least, node.most, node.bounds))
        while self._open and time.monotonic() < self._end:
            node = heapq.heappop(self._open)[-1]
            if self._is_open(node).any():
                self._visit(node)
            else:
                self._close(node)
        status = "time_limit" if self._open else "complete"
        for _, _, node in self._open:
            self._close(node)
        return Largest(self._found, self._points, self._closed, status, self._cells)

    def _is_open(self, node: _Node) -> np.ndarray:
        known = np.where(np.isfinite(self._found), self._found, 0)
        return node.bounds > self._found + self._accuracy * np.abs(known)

    def _close(self, node: _Node) -> None:
        self._closed = np.maximum(self._closed, node.bounds)

    def _push(self, node: _Node) -> None:
        with np.errstate(invalid="ignore"):
            excess = np.where(np.isfinite(node.bounds), node.bounds - self._found, np.inf)
        heapq.heappush(self._open, (-excess[self._is_open(node)].max(initial=-np.inf), next(self._count), node))

    def _visit(self, node: _Node) -> None:
        self._cells += 1
        empty, center = self._programs.enter(node.cell)
        if empty:
            return
        self._programs.leave_distance()
        node.cell = self._programs.box()
        outputs = self._network.outputs(lambda stage, z: self._relax(node, stage, z))
        self._bound(node, outputs, center)
        divided = self._is_open(node).any() and self._division(node)
        if not divided:
            self._close(node)
            return
        for child in divided:
            self._push(child)

    def _relax(self, node: _Node, stage: int, z: Band, programs: bool = True) -> Band:
        """Signs that are proven, ranges of the other units, and the functions around their ReLUs."""
        signs, least, most = node.signs[stage].copy(), node.least[stage].copy(), node.most[stage].copy()
        np.minimum(most, z.upper.largest(node.cell), out=most)
        np.maximum(least, -(-z.lower).largest(node.cell), out=least)
        for unit in np.flatnonzero((signs == 0) & (least < 0) & (most > 0) & programs):
            for ends, part, sign in ((most, z.upper, 1), (least, -z.lower, -1)):
                bound = self._programs.maximum(part.slopes[unit])[0] + part.offsets[unit]
                bound += rounding(0) * (abs(bound) + abs(part.offsets[unit]))
                ends[unit] = sign * min(sign * ends[unit], bound)
        signs[(signs == 0) & (least >= 0)] = 1
        signs[(signs == 0) & (most <= 0)] = -1
        node.signs[stage], node.least[stage], node.most[stage] = signs, least, most
        undecided = np.where(signs == 0, np.minimum(-least, most), 0)
        node.gaps.append(np.where(undecided > TINY * z.sizes(), undecided, 0))
        node.kinks.append(z)
        return relaxed_relu(z, signs, least, most)

    def _bound(self, node: _Node, outputs: Band, center: np.ndarray | None) -> None:
        upper = node.root.objectives.upper(outputs)
        node.bounds = np.minimum(node.bounds, upper.largest(node.cell))
        inner = node.cell.middle() if center is None else center
        points = [inner]
        for k in np.flatnonzero(self._is_open(node)):
            bound, point = self._programs.maximum(upper.slopes[k])
            bound += upper.offsets[k]
            node.bounds[k] = min(node.bounds[k], bound + rounding(0) * (abs(bound) + abs(upper.offsets[k])))
            if point is not None:
                points.append(point)
        # Corners of the cell may be outside of what is not widened by tolerances; some points near them are not.
        corners = np.array(points)
        self._try(node.root, np.vstack([corners + share * (inner - corners) for share in INWARDS]))

    def _try(self, root: Root, points: np.ndarray) -> None:
        raw, values = root.evaluate(points)
        best = values.argmax(axis=0)
        largest = values[best, np.arange(len(best))]
        better = largest > self._found
        self._found = np.where(better, largest, self._found)
        self._points[better] = raw[best[better]]

    def _division(self, node: _Node) -> list[_Node]:
        """By the sign of the unit that matters most, of the first layer in which one is undecided; none: empty."""
        for stage, (gaps, influence) in enumerate(zip(node.gaps, self._network.influence)):
            if gaps.any():
                unit = int(np.argmax(gaps * influence))
                return [self._child(node, stage, unit, sign) for sign in (1, -1)]
        return []

    def _child(self, node: _Node, stage: int, unit: int, sign: int) -> _Node:
        """Where the unit's z may be >= 0, or <= 0: its upper function is, or its lower one."""
        z = node.kinks[stage]
        side = -z.upper.take(unit) if sign > 0 else z.lower.take(unit)
        size = powers_of_two(np.abs(side.slopes).max(initial=0))
        cell = node.cell.cut(side.slopes[np.newaxis] / size, -side.offsets / size)
        signs, least, most = ([part.copy() for part in parts] for parts in (node.signs, node.least, node.most))
        signs[stage][unit] = sign
        (least if sign > 0 else most)[stage][unit] = 0
        return _Node(node.root, cell, signs, least, most, node.bounds.copy())
