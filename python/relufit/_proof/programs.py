"""Linear programs over small polytopes, whose optima are proven from the multipliers of the solver.

A cell is a set {d : G d <= g, lower <= d <= upper} with -1 <= lower, upper <= 1. For every y >= 0

    c'd <= y'g + (c - G'y)'d <= y'g + sum_k max(r_k lower_k, r_k upper_k),      r = c - G'y,

so that any multipliers bound the maximum: those of the solver are as good as optimal, and inaccurate ones cost nothing
but quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

EPSILON = float(np.finfo(float).eps)
_FEASIBILITY = 1e-9  # of the solver; no bound depends on it
_OPTIMALITY = 1e-10
_SMALL = 1e-12  # smaller entries of rows, whose largest is near 1, are left out
_THIN, _FAR = 1e-7, 1e3


def rounding(terms: int) -> float:
    """More than the relative error of a sum of so many products, in any order, and of some operations more."""
    return 2 * (terms + 8) * EPSILON


def new_solver() -> tuple[Any, Any]:
    """The package and a solver of it that prints nothing: its class in Python prints a line when it is made."""
    try:
        import highspy
        from highspy import _core as highs
    except ImportError as error:
        raise ImportError("relufit.control needs the package highspy: pip install 'relufit[control]'") from error
    solver = highs._Highs()
    solver.setOptionValue("output_flag", False)
    return highspy, solver


@dataclass(frozen=True)
class Cell:
    """G d <= g within the box from lower to upper."""

    rows: np.ndarray
    limits: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def cut(self, rows: np.ndarray, limits: np.ndarray) -> Cell:
        """What of it meets more constraints."""
        return Cell(np.vstack([self.rows, rows]), np.append(self.limits, limits), self.lower, self.upper)

    def within(self, lower: np.ndarray, upper: np.ndarray) -> Cell:
        return Cell(self.rows, self.limits, np.maximum(self.lower, lower), np.minimum(self.upper, upper))

    def middle(self) -> np.ndarray:
        """Of its box."""
        return (self.lower + self.upper) / 2

    def bound(self, costs: np.ndarray, multipliers: np.ndarray) -> float:
        """No c'd of the cell is above this, whatever the multipliers; below 0 for c = 0: the cell is empty."""
        y = np.maximum(multipliers, 0)
        y[~np.isfinite(y)] = 0
        residual = costs - y @ self.rows
        value = y @ self.limits + np.maximum(residual * self.lower, residual * self.upper).sum()
        size = y @ np.abs(self.limits) + np.abs(costs).sum() + (y @ np.abs(self.rows)).sum()
        return float(value + rounding(len(y) + len(costs)) * size)


class Programs:
    """Linear programs over one cell after the other; columns d and the distance s to all sides, G d + |G_i| s <= g."""

    def __init__(self, dimension: int) -> None:
        self._highspy, self._solver = new_solver()
        for option, value in {
            "presolve": "off",
            "primal_feasibility_tolerance": _FEASIBILITY,
            "dual_feasibility_tolerance": _OPTIMALITY,
            "small_matrix_value": _SMALL,
        }.items():
            self._solver.setOptionValue(option, value)
        self._columns = np.arange(dimension + 1, dtype=np.int32)
        self.cell: Cell | None = None

    def enter(self, cell: Cell) -> tuple[bool, np.ndarray | None]:
        """Takes a cell: whether it is proven to be empty; else the center of a large ball in it, None if not found."""
        self.cell = cell
        if (~cell.rows.any(axis=1) & (cell.limits < 0)).any() or (cell.lower > cell.upper).any():
            return True, None
        none = np.zeros(cell.rows.shape[1])
        self._load(cell)
        solution = self._farthest()
        if solution is None:
            return False, None
        point, distance, multipliers = solution
        if cell.bound(none, multipliers) < 0:
            return True, None
        if abs(distance) < _THIN:
            # Too thin for the solver's tolerances: the same with d = point + _THIN e.
            limits = np.minimum((cell.limits - cell.rows @ point) / _THIN, _FAR)
            self._load(Cell(cell.rows, limits, none - 1, none + 1))
            closer = self._farthest()
            if closer is not None:
                point = point + _THIN * closer[0]
                if cell.bound(none, closer[2]) < 0:
                    return True, None
            self._load(cell)
        return False, point

    def _farthest(self) -> tuple[np.ndarray, float, np.ndarray] | None:
        """A point with the largest distance to the sides, that distance, and multipliers."""
        costs = np.zeros(len(self._columns))
        costs[-1] = 1
        return self._solve(costs)

    def leave_distance(self) -> None:
        """From here on the cell itself, not points at a distance from its sides."""
        self._solver.changeColBounds(int(self._columns[-1]), 0.0, 0.0)

    def maximum(self, costs: np.ndarray) -> tuple[float, np.ndarray | None]:
        """What no c'd of the cell is above, and where it is attained, as far as the solver knows."""
        assert self.cell is not None
        solution = self._solve(np.append(costs, 0.0))
        if solution is None:
            return self.cell.bound(costs, np.zeros(len(self.cell.limits))), None
        point, _, multipliers = solution
        return self.cell.bound(costs, multipliers), point

    def box(self) -> Cell:
        """The cell with the bounds of each coordinate as its box."""
        assert self.cell is not None
        unit = np.eye(len(self._columns) - 1)
        upper = np.array([self.maximum(direction)[0] for direction in unit])
        lower = -np.array([self.maximum(-direction)[0] for direction in unit])
        self.cell = self.cell.within(lower, upper)
        return self.cell

    def _load(self, cell: Cell) -> None:
        program, infinity = self._highspy.HighsLp(), self._highspy.kHighsInf
        count, dimension = cell.rows.shape
        matrix = np.column_stack([cell.rows, np.linalg.norm(cell.rows, axis=1)])
        program.num_col_, program.num_row_ = dimension + 1, count
        program.sense_ = self._highspy.ObjSense.kMaximize
        program.col_cost_ = np.zeros(dimension + 1)
        program.col_lower_ = np.append(cell.lower, -infinity)
        program.col_upper_ = np.append(cell.upper, 1.0)
        program.row_lower_, program.row_upper_ = np.full(count, -infinity), cell.limits
        program.a_matrix_.format_ = self._highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_ = np.arange(count + 1, dtype=np.int32) * (dimension + 1)
        program.a_matrix_.index_ = np.tile(self._columns, count)
        program.a_matrix_.value_ = matrix.ravel()
        self._solver.passModel(program)

    def _solve(self, costs: np.ndarray) -> tuple[np.ndarray, float, np.ndarray] | None:
        """d, s and multipliers; None where the solver has none."""
        self._solver.changeColsCost(len(costs), self._columns, costs)
        self._solver.run()
        if self._solver.getModelStatus() != self._highspy.HighsModelStatus.kOptimal:
            return None
        solution = self._solver.getSolution()
        values = np.array(solution.col_value)
        return values[:-1], float(values[-1]), np.array(solution.row_dual)
