"""One convex subproblem (one hidden layer, exact loss, unit scales) in the standard form of conic solvers,

    minimize c' x   subject to   A x + s = b,  s in K,

written by hand: no modelling layer stands between the solver and what is timed. The unknowns of the lift come first in
x, in the order W_1, b_1, W_2, b_2, H, Z (column by column; S = H - W_1 U - b_1 1' is substituted, fixed outputs are
constants), then the auxiliary variables of the norms.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse as sp
from instances import Instance

Array = np.ndarray


@dataclasses.dataclass
class Rows:
    """Affine expressions `matrix @ x + constant`, one per row."""

    matrix: sp.csr_matrix
    constant: Array

    def __getitem__(self, index: Array) -> "Rows":
        return Rows(self.matrix[index], self.constant[index])

    def __add__(self, other: "Rows") -> "Rows":
        return Rows(self.matrix + other.matrix, self.constant + other.constant)

    def shifted(self, constant: Array) -> "Rows":
        return Rows(self.matrix, self.constant + constant.ravel(order="F"))

    def times(self, factor: Array) -> "Rows":
        """Every row times its own factor."""
        factor = np.asarray(factor).ravel(order="F")
        return Rows(sp.diags(factor) @ self.matrix, factor * self.constant)


def stack(parts: list[Rows]) -> Rows:
    """One below the other; variables that a part does not know have coefficient zero."""
    columns = max(part.matrix.shape[1] for part in parts)
    matrices = []
    for matrix in (part.matrix for part in parts):
        matrices.append(sp.csr_matrix((matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], columns)))
    return Rows(sp.vstack(matrices, format="csr"), np.concatenate([part.constant for part in parts]))


@dataclasses.dataclass
class ConicForm:
    """Rows in the order of the cones: nonnegative, second-order, then either semidefinite or nuclear-norm."""

    A: sp.csc_matrix
    b: Array
    c: Array
    nonnegative: int
    second_order: list[int]
    semidefinite: list[int]
    nuclear: tuple[int, int] | None = None


@dataclasses.dataclass
class Lift:
    """Everything affine of the subproblem in its unknowns; matrices as rows, column by column."""

    count: int
    active: Rows
    slack: Rows
    free_outputs: Rows
    block: Rows  # M of the product, (n_2 + n_1) x (N + n_1)
    block_shape: tuple[int, int]


def lift(instance: Instance) -> Lift:
    n0, n1, n2 = instance.widths
    samples = instance.samples
    fixed = np.ones((n2, samples), bool) if instance.output == "linear" else instance.targets > 0
    free = np.flatnonzero(~fixed.ravel(order="F"))
    sizes = [n1 * n0, n1, n2 * n1, n2, n1 * samples, len(free)]
    count = sum(sizes)
    ends = np.cumsum(sizes)
    identity = sp.identity(count, format="csr")
    w1, b1, w2, b2, h, z_free = (identity[end - size : end] for size, end in zip(sizes, ends))
    ones = np.ones((samples, 1))

    z_matrix = sp.csr_matrix((np.ones(len(free)), (free, np.arange(len(free)))), (n2 * samples, len(free))) @ z_free
    z = Rows(z_matrix.tocsr(), np.where(fixed, instance.targets, 0.0).ravel(order="F"))
    active = Rows(h, np.zeros(n1 * samples))
    first = sp.kron(instance.inputs.T, sp.identity(n1)) @ w1 + sp.kron(ones, sp.identity(n1)) @ b1
    slack = Rows((h - first).tocsr(), np.zeros(n1 * samples))

    # M = [C + W Y + X H + X Y, W + X; H + Y, I] with C = Z - b 1'
    term = instance.product[0]
    upper = z.matrix - sp.kron(ones, sp.identity(n2)) @ b2
    upper = upper + sp.kron(term.y.T, sp.identity(n2)) @ w2 + sp.kron(sp.identity(samples), sp.csr_matrix(term.x)) @ h
    parts = stack(
        [
            Rows(upper.tocsr(), z.constant).shifted(term.x @ term.y),
            Rows(h, term.y.ravel(order="F")),
            Rows(w2, term.x.ravel(order="F")),
            Rows(sp.csr_matrix((n1 * n1, count)), np.eye(n1).ravel()),
        ]
    )
    numbers = np.arange(len(parts.constant))
    begins = np.cumsum([0, n2 * samples, n1 * samples, n2 * n1, n1 * n1])
    shapes = [(n2, samples), (n1, samples), (n2, n1), (n1, n1)]
    p11, p21, p12, p22 = (
        numbers[begin:end].reshape(shape, order="F") for begin, end, shape in zip(begins, begins[1:], shapes)
    )
    order = np.block([[p11, p12], [p21, p22]])
    block = parts[order.ravel(order="F")]
    return Lift(count, active, slack, Rows(z_free, np.zeros(len(free))), block, order.shape)


def conic_form(instance: Instance, product: str, triangle: str = "lower") -> ConicForm:
    """ReLU pairs as second-order cones (norm of [1 - r, a + b]), the product's nuclear norm as `product` says:

    nuclear: SCS's cone (t, X), X column by column with no fewer rows than columns: X = M'
    whole:   1/2 (tr P + tr Q), [P M; M' Q] >= 0
    split:   1/2 (tr P + sum t_j), [P m_j; m_j' t_j] >= 0 for every column m_j

    Semidefinite matrices enter as the `triangle` that the solver reads column by column, off-diagonals times sqrt 2.
    """
    lifted = lift(instance)
    pairs = instance.pair[0]
    count, pair_count = lifted.count, pairs.x.size
    rows, cols = lifted.block_shape

    def variables(begin: int, size: int) -> Rows:
        columns = np.arange(begin, begin + size)
        return Rows(sp.csr_matrix((np.ones(size), (np.arange(size), columns)), (size, begin + size)), np.zeros(size))

    # (t, 1 - r, a + b) with r = h y + s x + x y, a = h + x, b = s + y
    r = (lifted.active.times(pairs.y) + lifted.slack.times(pairs.x)).shifted(pairs.x * pairs.y)
    one_minus_r = r.times(-np.ones(pair_count)).shifted(np.ones(pair_count))
    a_plus_b = (lifted.active + lifted.slack).shifted(pairs.x + pairs.y)
    cones = stack([variables(count, pair_count), one_minus_r, a_plus_b])
    cones = cones[np.arange(3 * pair_count).reshape(3, pair_count).ravel(order="F")]
    signs = stack([lifted.active, lifted.slack, lifted.free_outputs.times(-np.ones(len(lifted.free_outputs.constant)))])

    begin = count + pair_count
    semidefinite: list[int] = []
    nuclear = None
    if product == "nuclear":
        transposed = np.arange(rows * cols).reshape((rows, cols), order="F").ravel()
        norm_rows = stack([variables(begin, 1), lifted.block[transposed]])
        norm_costs = np.ones(1)
        nuclear = (cols, rows)
    elif product == "whole":
        norm_rows, norm_costs = whole_block(lifted, variables, begin, triangle)
        semidefinite = [rows + cols]
    else:
        norm_rows, norm_costs = split_blocks(lifted, variables, begin, triangle)
        semidefinite = [rows + 1] * cols
    everything = stack([signs, cones, norm_rows])
    cost = np.zeros(everything.matrix.shape[1])
    cost[count:begin] = instance.lambda_pair
    cost[begin:] = instance.lambda_product * norm_costs
    return ConicForm(
        -everything.matrix.tocsc(),
        everything.constant,
        cost,
        len(signs.constant),
        [3] * pair_count,
        semidefinite,
        nuclear,
    )


def triangle_positions(order: int, triangle: str) -> tuple[Array, Array]:
    """Row and column, row <= column, of the entries in the solver's order."""
    if triangle == "lower":
        return np.triu_indices(order)  # lower triangle by columns = upper triangle by rows
    cols, rows = np.tril_indices(order)
    return rows, cols


def symmetric_numbers(order: int, begin: int) -> Array:
    """Numbers begin, begin + 1, ... of the entries of a symmetric matrix."""
    numbers = np.zeros((order, order), int)
    i, j = np.triu_indices(order)
    numbers[i, j] = numbers[j, i] = begin + np.arange(len(i))
    return numbers


def diagonal_costs(numbers: Array, size: int) -> Array:
    costs = np.zeros(size)
    costs[np.diag(numbers)] = 0.5
    return costs


def whole_block(lifted: Lift, variables, begin: int, triangle: str) -> tuple[Rows, Array]:
    rows, cols = lifted.block_shape
    p_size, q_size = rows * (rows + 1) // 2, cols * (cols + 1) // 2
    p, q = symmetric_numbers(rows, 0), symmetric_numbers(cols, p_size)
    size = p_size + q_size
    m = size + np.arange(rows * cols).reshape((rows, cols), order="F")
    parts = stack([variables(begin, size), lifted.block])
    i, j = triangle_positions(rows + cols, triangle)
    chosen = parts[np.block([[p, m], [m.T, q]])[i, j]].times(np.where(i == j, 1.0, np.sqrt(2.0)))
    return chosen, diagonal_costs(p, size) + diagonal_costs(q, size)


def split_blocks(lifted: Lift, variables, begin: int, triangle: str) -> tuple[Rows, Array]:
    rows, cols = lifted.block_shape
    p_size = rows * (rows + 1) // 2
    p = symmetric_numbers(rows, 0)
    size = p_size + cols
    m = size + np.arange(rows * cols).reshape((rows, cols), order="F")
    parts = stack([variables(begin, size), lifted.block])
    i, j = triangle_positions(rows + 1, triangle)
    numbers = []
    for k in range(cols):
        block = np.block([[p, m[:, k : k + 1]], [m[:, k : k + 1].T, np.array([[p_size + k]])]])
        numbers.append(block[i, j])
    factors = np.tile(np.where(i == j, 1.0, np.sqrt(2.0)), cols)
    costs = diagonal_costs(p, size)
    costs[p_size:] = 0.5
    return parts[np.concatenate(numbers)].times(factors), costs


def raw_objective(instance: Instance, x: Array) -> tuple[float, float]:
    """Sum of weighted nuclear norms at a solver's point, from singular values, and its largest violation of a sign."""
    lifted = lift(instance)
    x = np.asarray(x)[: lifted.count]

    def values(part: Rows, shape: tuple[int, int]) -> Array:
        return (part.matrix @ x + part.constant).reshape(shape, order="F")

    pairs = instance.pair[0]
    h, s = values(lifted.active, pairs.x.shape), values(lifted.slack, pairs.x.shape)
    r = h * pairs.y + s * pairs.x + pairs.x * pairs.y
    a, b = h + pairs.x, s + pairs.y
    blocks = np.stack([np.stack([r, a], -1), np.stack([b, np.ones_like(r)], -1)], -2)
    block = values(lifted.block, lifted.block_shape)
    objective = instance.lambda_pair * np.linalg.svd(blocks, compute_uv=False).sum()
    objective += instance.lambda_product * np.linalg.svd(block, compute_uv=False).sum()
    outputs = lifted.free_outputs.matrix @ x
    violation = max(0.0, -h.min(), -s.min(), outputs.max(initial=0.0))
    return float(objective), float(violation)
