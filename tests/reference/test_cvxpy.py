"""Optimal values against CVXPY, written from the definition alone: literal blocks, literal nuclear norms."""

from __future__ import annotations

import itertools
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
from instances import (
    LIFTS,
    LOSSES,
    Pair,
    Instance,
    Product,
    activation_instance,
    loss_instance,
    random_instance,
    solve,
)


def rank_block(a, b, c, p, x, y, v1, v2) -> cp.Expression:
    """M(A, B, C) of the source, for A P B = C."""
    return cp.bmat([[v1 @ (c + a @ p @ y + x @ p @ b + x @ p @ y) @ v2, v1 @ (a + x) @ p], [p @ (b + y) @ v2, p]])


def vec(matrix) -> cp.Expression:
    return cp.vec(matrix, order="F")


def whole_pairs(h: cp.Variable, s: cp.Variable, term: Pair) -> cp.Expression:
    """||M||_* - ||P||_* for diag(vec H) I diag(vec S) = 0, as the source writes it: one block for all samples."""
    size = term.x.size
    x, y, v = (np.diag(values.ravel(order="F")) for values in (term.x, term.y, term.scale))
    block = rank_block(cp.diag(vec(h)), cp.diag(vec(s)), np.zeros((size, size)), np.eye(size), x, y, v, v)
    return cp.normNuc(block) - size


def single_pairs(h: cp.Variable, s: cp.Variable, term: Pair) -> cp.Expression:
    """The same, one 2 x 2 block per hidden unit and sample: a permutation makes the one block diagonal in these."""
    norms = []
    for i, j in np.ndindex(term.x.shape):
        a, b = h[i : i + 1, j : j + 1], s[i : i + 1, j : j + 1]
        x, y, v = (values[i : i + 1, j : j + 1] for values in (term.x, term.y, term.scale))
        norms.append(cp.normNuc(rank_block(a, b, np.zeros((1, 1)), np.eye(1), x, y, v, v)))
    return cp.sum(cp.hstack(norms)) - term.x.size


def product_relaxation(w: cp.Variable, h: cp.Variable, c: cp.Expression, term: Product) -> cp.Expression:
    inner = h.shape[0]
    left = term.left * np.eye(w.shape[0]) if np.ndim(term.left) == 0 else term.left
    right = term.right * np.eye(h.shape[1]) if np.ndim(term.right) == 0 else term.right
    return cp.normNuc(rank_block(w, h, c, np.eye(inner), term.x, term.y, left, right)) - inner


def sum_of_losses(instance: Instance, z: cp.Variable) -> cp.Expression:
    """The loss of every sample, outputs summed."""
    y, p = instance.targets, instance.loss_parameter
    if instance.loss == "cross-entropy":
        return cp.log_sum_exp(z, axis=0) - cp.sum(cp.multiply(y, z), axis=0)
    elements = {
        "squared": lambda: 0.5 * cp.square(z - y),
        "absolute": lambda: cp.abs(z - y),
        "huber": lambda: 0.5 * cp.huber(z - y, p),
        "quantile": lambda: p * cp.pos(y - z) + (1 - p) * cp.pos(z - y),
        "logistic": lambda: cp.logistic(z) - cp.multiply(y, z),
        "hinge": lambda: cp.pos(1 - cp.multiply(2 * y - 1, z)),
    }
    return cp.sum(elements[instance.loss](), axis=0)


def output_terms(instance: Instance, z: cp.Variable) -> tuple[cp.Expression, list[cp.Constraint]]:
    """Loss and constraints of the outputs."""
    y = instance.targets
    if instance.output == "linear":
        if instance.loss == "exact":
            return cp.Constant(0.0), [z == y]
        weights = instance.sample_weights or np.ones(instance.samples)
        return sum_of_losses(instance, z) @ np.asarray(weights), []
    active = y > 0
    if instance.loss == "exact":
        return cp.Constant(0.0), [cp.multiply(active, z - y) == 0, cp.multiply(~active, z) <= 0]
    excess = cp.pos(cp.multiply(~active, z)) - np.minimum(y, 0)
    return 0.5 * cp.sum_squares(cp.multiply(active, z - y)) + 0.5 * cp.sum_squares(excess), []


def add_weight_term(term: dict, w: cp.Variable, objective: cp.Expression, constraints: list) -> tuple:
    rows = cp.norm(w, 2, axis=1)
    values = {"frobenius": cp.norm(w, "fro"), "rows": cp.max(rows), "spectral": cp.norm(w, 2)}
    penalties = {"lasso": cp.sum(cp.abs(w)), "group_lasso": cp.sum(rows), "nuclear": cp.normNuc(w)}
    if term["kind"] == "bounds":
        return objective, [*constraints, w >= term["lower"], w <= term["upper"]]
    if term["kind"] == "linear":
        value = cp.sum(cp.multiply(term["coefficients"], w))
        return objective, [*constraints, value >= term["least"], value <= term["most"]]
    if term["kind"] in values:
        return objective, [*constraints, values[term["kind"]] <= term["size"]]
    return objective + term["size"] * penalties[term["kind"]], constraints


def reference_objective(instance: Instance, whole: bool) -> float:
    """Optimal value of the convex problem."""
    samples, widths = instance.samples, instance.widths
    weights = [cp.Variable((after, columns)) for columns, after in zip(instance.columns, instance.rows)]
    biases = [cp.Variable((after, 1)) if instance.bias else np.zeros((after, 1)) for after in instance.rows]
    offset, pieces = instance.lift
    active = [cp.Variable((units * len(pieces), samples)) for units in instance.hidden]
    slack = [cp.Variable((units * len(pieces), samples)) for units in instance.hidden]
    free = [cp.Variable((units, samples)) for units in instance.hidden]  # of maxout
    maxout, half = instance.activation == "maxout", np.sqrt(0.5)
    z = cp.Variable((widths[-1], samples))
    ones = np.ones((1, samples))

    def rows(layer: int, piece: int) -> slice:
        return slice(piece * instance.hidden[layer], (piece + 1) * instance.hidden[layer])

    def argument(layer: int, piece: int) -> cp.Expression:
        part = rows(layer, piece)
        if maxout:
            difference = active[layer] - slack[layer]
            return half * cp.vstack([free[layer] + difference, free[layer] - difference])
        return pieces[piece][0] + active[layer][part] - slack[layer][part]

    def value(layer: int) -> cp.Expression:
        parts = [(above, below, rows(layer, piece)) for piece, (_, above, below) in enumerate(pieces)]
        linear = half * free[layer] if maxout else 0
        return (
            offset
            + linear
            + sum(above * active[layer][part] + below * slack[layer][part] for above, below, part in parts)
        )

    objective, constraints = output_terms(instance, z)
    constraints += [weights[0] @ instance.inputs + biases[0] @ ones == (argument(0, 0) if active else z)]
    constraints += [
        argument(layer, piece) == argument(layer, 0) for layer in range(len(active)) for piece in range(1, len(pieces))
    ]
    norm_of_pairs = whole_pairs if whole else single_pairs
    for layer, (h, s) in enumerate(zip(active, slack)):
        constraints += [h >= 0, s >= 0]
        objective += instance.lambda_pair * norm_of_pairs(h, s, instance.pair[layer])
        affine = argument(layer + 1, 0) if layer + 1 < len(active) else z
        c = affine - biases[layer + 1] @ ones
        units = instance.hidden[layer]
        if instance.skip_connections:
            c -= weights[layer + 1][:, units:] @ instance.inputs
        product = product_relaxation(weights[layer + 1][:, :units], value(layer), c, instance.product[layer])
        objective += instance.lambda_product * product
    if instance.output_lower is not None:
        constraints += [z >= instance.output_lower, z <= instance.output_upper]
    for term in instance.output_terms:
        value = np.array(term["coefficients"]) @ z
        constraints += [value >= np.array(term["lower"]), value <= np.array(term["upper"])]
    for term in instance.weight_terms:
        objective, constraints = add_weight_term(term, weights[term["layer"] - 1], objective, constraints)
    if instance.ridge > 0:
        objective += 0.5 * instance.ridge * sum(cp.sum_squares(w) for w in weights)

    problem = cp.Problem(cp.Minimize(objective), constraints)
    try:
        problem.solve(solver=cp.CLARABEL)
    except cp.SolverError:
        pass
    if problem.status != cp.OPTIMAL:
        problem.solve(solver=cp.SCS, eps_abs=1e-8, eps_rel=1e-8, max_iters=200000)
    assert problem.status == cp.OPTIMAL
    return problem.value


def check(program: Path, folder: Path, instance: Instance, whole: bool = False) -> None:
    """Objective and feasibility of relufit's point; the objective relative to the nuclear norms it is made of."""
    result = solve(program, instance, folder, tolerance=1e-10, max_iterations=200000)
    assert result["status"] == "converged"
    violations = result["violations"]
    assert max(violations[name] for name in ("affine", "sign", "output")) < 1e-7
    expected = reference_objective(instance, whole)
    assert abs(result["objective"] - expected) <= 1e-6 * max(1.0, expected + instance.constant)


KINDS = list(enumerate(itertools.product(["linear", "relu"], ["exact", "squared"], [0.0, 0.2])))


@pytest.mark.parametrize("seed, kind", KINDS)
def test_whole_block(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    """The source's diag(vec(H)) formulation, all samples in one block."""
    output, loss, ridge = kind
    check(program, tmp_path, random_instance(seed, 5 + seed % 3, [2], output, loss, ridge), whole=True)


@pytest.mark.parametrize("seed, kind", KINDS)
def test_one_hidden_layer(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    output, loss, ridge = kind
    samples = (12, 18, 25, 40)[seed % 4]
    check(program, tmp_path, random_instance(100 + seed, samples, [3 if samples < 20 else 2], output, loss, ridge))


@pytest.mark.parametrize("seed, kind", KINDS)
def test_general_scales(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    """V1 and V2 full matrices."""
    output, loss, ridge = kind
    hidden = [3] if seed % 2 else [2, 2]
    check(program, tmp_path, random_instance(200 + seed, 6 + seed, hidden, output, loss, ridge, matrices=True))


@pytest.mark.parametrize("seed, kind", KINDS)
def test_two_hidden_layers(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    output, loss, ridge = kind
    check(program, tmp_path, random_instance(300 + seed, 7 + seed, [3, 2], output, loss, ridge, inputs=2))


@pytest.mark.parametrize("seed, kind", KINDS)
def test_without_biases(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    output, loss, ridge = kind
    hidden = [3] if seed % 2 else [2, 2]
    instance = random_instance(800 + seed, 8 + seed, hidden, output, loss, ridge, matrices=seed % 4 == 3)
    instance.bias = False
    check(program, tmp_path, instance)


def test_sixty_samples(program: Path, tmp_path: Path) -> None:
    check(program, tmp_path, random_instance(400, 60, [2], outputs=1))


@pytest.mark.parametrize("loss", ["exact", "squared"])
def test_output_without_positive_target(program: Path, tmp_path: Path, loss: str) -> None:
    instance = random_instance(500, 10, [3], "relu", loss)
    instance.targets[0] = 0
    check(program, tmp_path, instance)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_dependent_inputs(program: Path, tmp_path: Path, ridge: float) -> None:
    """More inputs than samples determine, one of them constant, one doubled."""
    instance = random_instance(600, 6, [2], ridge=ridge, inputs=8)
    instance.inputs[1] = 2.0
    instance.inputs[2] = 2 * instance.inputs[0]
    check(program, tmp_path, instance)


def test_negative_target_of_relu_output(program: Path, tmp_path: Path) -> None:
    """Under the squared loss targets may be negative: the error is then max(z, 0) - y."""
    instance = random_instance(700, 10, [3], "relu", "squared")
    instance.targets[instance.targets == 0] = -0.4
    check(program, tmp_path, instance)


SIZES = {"frobenius": 0.8, "rows": 0.5, "spectral": 0.6, "lasso": 0.7, "group_lasso": 1.0, "nuclear": 0.9}


@pytest.mark.parametrize("loss", ["exact", "squared"])
@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("kind", ["bounds", "linear", "equality", *SIZES])
def test_weight_term(program: Path, tmp_path: Path, kind: str, layer: int, loss: str) -> None:
    """One constraint or regularizer, tight enough to matter."""
    instance = random_instance(800 + layer, 9, [3], loss=loss, ridge=0.1 if layer == 1 else 0.0)
    term: dict = {"kind": kind, "layer": layer, "size": SIZES.get(kind, 0.0)}
    if kind == "bounds":
        shape = (instance.widths[layer], instance.widths[layer - 1])
        term["lower"], term["upper"] = np.full(shape, -0.3), np.full(shape, 0.2)
    if kind in ("linear", "equality"):
        shape = (instance.widths[layer], instance.widths[layer - 1])
        coefficients = np.random.default_rng(layer).standard_normal(shape)
        least = 0.5 if kind == "equality" else 3.0
        term |= {"kind": "linear", "coefficients": coefficients, "least": least, "most": 0.5 if least == 0.5 else 4.0}
    free = reference_objective(instance, whole=False)
    instance.weight_terms = [term]
    assert reference_objective(instance, whole=False) > free + 1e-3
    check(program, tmp_path, instance)


def test_weight_terms_together(program: Path, tmp_path: Path) -> None:
    """Two hidden layers, several terms on one of them, inputs that depend on each other."""
    instance = random_instance(820, 9, [3, 2], loss="squared", inputs=2)
    instance.inputs[1] = 2 * instance.inputs[0]
    instance.weight_terms = [
        {"kind": "lasso", "layer": 1, "size": 0.3},
        {"kind": "frobenius", "layer": 1, "size": 1.0},
        {"kind": "spectral", "layer": 2, "size": 0.5},
        {"kind": "bounds", "layer": 2, "size": 0.0, "lower": np.full((2, 3), -0.1), "upper": np.full((2, 3), 0.4)},
        {"kind": "nuclear", "layer": 3, "size": 0.2},
    ]
    check(program, tmp_path, instance)


@pytest.mark.parametrize("loss", ["squared", "absolute", "quantile", "logistic"])
@pytest.mark.parametrize("hidden", [[], [2]])
def test_output_bounds(program: Path, tmp_path: Path, hidden: list[int], loss: str) -> None:
    """Some outputs bounded, one of them fixed, one sample of weight 0."""
    instance = loss_instance(950, 14, hidden, loss, weighted=True, ridge=0.1)
    free = reference_objective(instance, whole=False)
    instance.output_lower = np.full(instance.targets.shape, -50.0)
    instance.output_upper = np.full(instance.targets.shape, 0.3)
    instance.output_lower[0, 0] = instance.output_upper[0, 0] = -0.2
    assert reference_objective(instance, whole=False) > free + 1e-3
    check(program, tmp_path, instance)


@pytest.mark.parametrize("loss", ["squared", "absolute", "logistic"])
@pytest.mark.parametrize("hidden", [[], [2], [2, 2]])
def test_bounds_on_sums_of_outputs(program: Path, tmp_path: Path, hidden: list[int], loss: str) -> None:
    """One output above the other, a weighted sum bounded, an equality at one sample; with bounds on single outputs."""
    samples = 12
    instance = loss_instance(970, samples, hidden, loss, weighted=True, ridge=0.1)
    free = reference_objective(instance, whole=False)
    lower, upper = np.full(samples, -50.0), np.full(samples, 50.0)
    lower[3] = upper[3] = 0.1
    instance.output_terms = [
        {"coefficients": [1.0, -1.0], "lower": [0.05] * samples, "upper": [50.0] * samples},
        {"coefficients": [0.5, 2.0], "lower": lower.tolist(), "upper": upper.tolist()},
    ]
    if loss == "absolute":
        instance.output_lower = np.full(instance.targets.shape, -50.0)
        instance.output_upper = np.full(instance.targets.shape, 0.4)
    assert reference_objective(instance, whole=False) > free + 1e-3
    check(program, tmp_path, instance)


ACTIVATION_KINDS = list(enumerate(itertools.product(LIFTS, ["exact", "squared"], [[3], [3, 2]])))


@pytest.mark.parametrize("seed, kind", ACTIVATION_KINDS)
def test_activations(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    activation, loss, hidden = kind
    ridge = 0.1 if seed % 4 < 2 else 0.0
    check(program, tmp_path, activation_instance(1000 + seed, 8, hidden, activation, loss, ridge))


SKIP_KINDS = list(
    enumerate(itertools.product(["exact", "squared"], [[3], [3, 2]], [True, False], ["relu", "hard-tanh"]))
)


@pytest.mark.parametrize("seed, kind", SKIP_KINDS)
def test_skip_connections(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    """Every fourth with terms on the weights of later layers, every third with inputs that depend on each other."""
    loss, hidden, bias, activation = kind
    instance = activation_instance(1100 + seed, 8, hidden, activation, loss, ridge=0.1 if seed % 8 < 4 else 0.0)
    instance.skip_connections, instance.bias = True, bias
    if seed % 3 == 0:
        instance.inputs[1] = 2 * instance.inputs[0]
    if seed % 4 == 0:
        shape = (instance.widths[2], instance.columns[1])
        instance.weight_terms = [
            {"kind": "bounds", "layer": 2, "size": 0.0, "lower": np.full(shape, -0.2), "upper": np.full(shape, 0.2)},
            {"kind": "lasso", "layer": 2, "size": 0.2},
        ]
    check(program, tmp_path, instance)


LOSS_KINDS = list(enumerate(itertools.product(LOSSES, [False, True])))


@pytest.mark.parametrize("seed, kind", LOSS_KINDS)
def test_losses_without_hidden_layer(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    """A linear model: the whole training problem is convex."""
    loss, weighted = kind
    for ridge in (0.5, 0.0):
        check(program, tmp_path, loss_instance(800 + seed, 25 + 3 * seed, [], loss, weighted, ridge, outputs=3))


@pytest.mark.parametrize("seed, kind", LOSS_KINDS)
def test_losses_with_hidden_layer(program: Path, tmp_path: Path, seed: int, kind: tuple) -> None:
    loss, weighted = kind
    check(program, tmp_path, loss_instance(900 + seed, 12, [2], loss, weighted, ridge=0.1))
