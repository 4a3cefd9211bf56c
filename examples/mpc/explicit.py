"""Explicit model predictive control: the regions of the law u = K x + k of a small quadratic program with parameters.

    minimize  1/2 U'H U + (F x)'U    over  G U <= w + S x,    H positive definite

For each set of active constraints that are linearly independent the optimum is affine in x, and optimal where its
multipliers are >= 0 and the other constraints hold (Bemporad et al., The explicit linear quadratic regulator for
constrained systems, Automatica 2002). Small programs only: all sets are tried.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, solve_discrete_are
from scipy.optimize import linprog

Region = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # A, b, K, k: u = K x + k where A x <= b

THIN = 1e-9  # regions without a ball of this radius are the borders of others


@dataclass(frozen=True)
class Program:
    hessian: np.ndarray
    gradient: np.ndarray
    rows: np.ndarray  # G
    limits: np.ndarray  # w
    of_state: np.ndarray  # S


def condensed(
    a: np.ndarray, b: np.ndarray, state_cost: np.ndarray, input_cost: np.ndarray, horizon: int, largest: float
) -> Program:
    """Of |u| <= largest, with the terminal cost of the LQR."""
    states, inputs = b.shape
    powers = [np.linalg.matrix_power(a, i) for i in range(horizon + 1)]
    none = np.zeros((states, inputs))
    from_inputs = np.block([[powers[i - j] @ b if j <= i else none for j in range(horizon)] for i in range(horizon)])
    from_state = np.vstack(powers[1:])
    terminal = solve_discrete_are(a, b, state_cost, input_cost)
    weights = block_diag(*[state_cost] * (horizon - 1), terminal)
    count = inputs * horizon
    unit = np.eye(count)
    return Program(
        from_inputs.T @ weights @ from_inputs + block_diag(*[input_cost] * horizon),
        from_inputs.T @ weights @ from_state,
        np.vstack([unit, -unit]),
        np.full(2 * count, largest),
        np.zeros((2 * count, states)),
    )


def explicit_law(program: Program, lower: np.ndarray, upper: np.ndarray, inputs: int) -> list[Region]:
    """Regions (A, b, K, k) within the box of states; u are the first so many entries of U."""
    states, count = len(lower), len(program.hessian)
    unit = np.eye(states)
    law = []
    for size in range(min(count, len(program.limits)) + 1):
        for active in itertools.combinations(range(len(program.limits)), size):
            pieces = _affine(program, list(active))
            if pieces is None:
                continue
            slopes, offsets, multiplier_slopes, multiplier_offsets = pieces
            # G U <= w + S x of those not active, and multipliers >= 0 of those that are.
            others = [i for i in range(len(program.limits)) if i not in active]
            rows = np.vstack([program.rows[others] @ slopes - program.of_state[others], -multiplier_slopes])
            limits = np.append(program.limits[others] - program.rows[others] @ offsets, multiplier_offsets)
            rows, limits = np.vstack([rows, unit, -unit]), np.concatenate([limits, upper, -lower])
            kept = _needed(rows, limits)
            if kept is not None:
                law.append((rows[kept], limits[kept], slopes[:inputs], offsets[:inputs]))
    return law


def law_values(law: list[Region], states: np.ndarray) -> np.ndarray:
    """Inputs (states, inputs) by searching the region of each state."""
    values = np.full((len(states), len(law[0][3])), np.nan)
    for rows, limits, gain, offset in law:
        inside = (states @ rows.T <= limits + THIN * np.linalg.norm(rows, axis=1)).all(axis=1)
        values[inside] = states[inside] @ gain.T + offset
    assert not np.isnan(values).any(), "states outside of all regions"
    return values


def corners(region: Region) -> np.ndarray:
    """Of its polytope: where as many sides meet as there are states."""
    rows, limits = region[:2]
    found = []
    for chosen in map(list, itertools.combinations(range(len(limits)), rows.shape[1])):
        if abs(np.linalg.det(rows[chosen])) > THIN:
            point = np.linalg.solve(rows[chosen], limits[chosen])
            if (rows @ point <= limits + THIN).all():
                found.append(point)
    return np.array(found)


def _affine(program: Program, active: list[int]) -> tuple[np.ndarray, ...] | None:
    """Slopes and offsets of U and of the multipliers; None where the active constraints are not independent."""
    rows = program.rows[active]
    if len(active) and np.linalg.matrix_rank(rows) < len(active):
        return None
    count, size = len(program.hessian), len(active)
    system = np.block([[program.hessian, rows.T], [rows, np.zeros((size, size))]])
    right_slopes = np.vstack([-program.gradient, program.of_state[active]])
    right_offsets = np.append(np.zeros(count), program.limits[active])
    slopes, offsets = np.linalg.solve(system, right_slopes), np.linalg.solve(system, right_offsets)
    return slopes[:count], offsets[:count], slopes[count:], offsets[count:]


def _needed(rows: np.ndarray, limits: np.ndarray) -> np.ndarray | None:
    """The rows that are sides of the polytope; None where it has no interior."""
    norms = np.linalg.norm(rows, axis=1)
    flat = norms < 1e-12
    if (limits[flat] < 0).any():
        return None
    center = linprog(
        np.append(np.zeros(rows.shape[1]), -1), np.column_stack([rows, norms]), limits, bounds=(None, None)
    )
    if not center.success or center.x[-1] < THIN:
        return None
    kept = np.flatnonzero(~flat)
    for row in kept.copy():
        others = kept[kept != row]
        least = linprog(-rows[row], rows[others], limits[others], bounds=(None, None))
        if least.success and -least.fun <= limits[row] + 1e-12 * norms[row]:
            kept = others
    return kept
