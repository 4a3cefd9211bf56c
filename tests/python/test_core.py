"""Subproblem, proximal maps and rank blocks from Python, against their definitions and CVXPY."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from models import forward
from scipy.optimize import minimize

from relufit import Model, core


def nuclear(matrix: np.ndarray) -> float:
    return float(np.linalg.svd(matrix, compute_uv=False).sum())


def test_rank_block_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    a, x, p = rng.standard_normal((2, 4)), rng.standard_normal((2, 4)), rng.standard_normal((4, 3))
    b, y, c = rng.standard_normal((3, 5)), rng.standard_normal((3, 5)), rng.standard_normal((2, 5))
    v1, v2 = rng.standard_normal((2, 2)), rng.standard_normal((5, 5))
    # P is 4 x 3: Y multiplies P from the right in A P Y.
    expected = np.block([[v1 @ (c + a @ p @ y + x @ p @ b + x @ p @ y) @ v2, v1 @ (a + x) @ p], [p @ (b + y) @ v2, p]])
    block = core.rank_block(a, b, c, p, x, y, v1, v2)
    np.testing.assert_allclose(block, expected, atol=1e-12)
    assert core.nuclear_norm(block) == pytest.approx(nuclear(expected))
    solved = core.rank_block(a, b, a @ p @ b, p, x, y, v1, v2)
    assert np.linalg.matrix_rank(solved, tol=1e-9) == 3
    with pytest.raises(ValueError):
        core.rank_block(a, b, c.T, p, x, y, v1, v2)


@pytest.mark.parametrize("shape", [(3, 12), (12, 3), (1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize("tau", [1e-7, 0.5, 100.0])
def test_singular_value_threshold_is_its_definition(shape: tuple[int, int], tau: float) -> None:
    matrix = np.random.default_rng(1).standard_normal(shape)
    u, sigma, v = np.linalg.svd(matrix, full_matrices=False)
    expected = u @ np.diag(np.maximum(sigma - tau, 0)) @ v
    np.testing.assert_allclose(core.singular_value_threshold(matrix, tau), expected, atol=1e-9)


def test_prox_relu_pairs_minimizes_its_definition() -> None:
    """The block's nuclear norm from its singular values, minimized by a method that knows no closed form."""
    rng = np.random.default_rng(2)
    shape = (4, 3)
    h, s, x, y = rng.standard_normal((4, *shape))
    w = rng.uniform(0.3, 2, shape)
    step = 0.7
    h_out, s_out = core.prox_relu_pairs(h, s, x, y, w, step)

    def value(point: np.ndarray, i: tuple[int, int]) -> float:
        block = core.rank_block(*([[v]] for v in (point[0], point[1], 0.0, 1.0, x[i], y[i], w[i], w[i])))
        return step * nuclear(block) + 0.5 * (point[0] - h[i]) ** 2 + 0.5 * (point[1] - s[i]) ** 2

    for i in np.ndindex(shape):
        found = np.array([h_out[i], s_out[i]])
        assert (found >= 0).all()
        other = minimize(value, np.ones(2), args=(i,), bounds=[(0, None)] * 2, method="L-BFGS-B", tol=1e-14)
        assert value(found, i) <= other.fun + 1e-9
    with pytest.raises(ValueError, match="w: expected the shape of h"):
        core.prox_relu_pairs(h, s, x, y, w[:2], step)
    with pytest.raises(ValueError, match="step: 0, expected a number > 0"):
        core.prox_relu_pairs(h, s, x, y, w, 0.0)


def cvxpy_optimum(problem: core.LiftedProblem, parameters: core.RelaxationParameters) -> float:
    """One hidden layer, linear outputs, squared loss: the relaxation from docs/method.md, one row per sample."""
    inputs, targets = problem.inputs, problem.targets
    samples, (n0, k, m) = len(inputs), problem.widths
    w1, b1, w2, b2 = cp.Variable((k, n0)), cp.Variable((1, k)), cp.Variable((m, k)), cp.Variable((1, m))
    h, s = cp.Variable((samples, k), nonneg=True), cp.Variable((samples, k), nonneg=True)
    z = cp.Variable((samples, m))
    ones = np.ones((samples, 1))
    pairs, product = parameters.pair[0], parameters.product[0]
    objective = 0.5 * cp.sum_squares(z - targets) + 0.5 * problem.ridge * (cp.sum_squares(w1) + cp.sum_squares(w2))
    for i, j in np.ndindex(samples, k):
        x, y, v = pairs.x[i, j], pairs.y[i, j], pairs.scale[i, j]
        r = h[i, j] * y + x * s[i, j] + x * y
        block = cp.bmat([[v * v * r, v * (h[i, j] + x)], [v * (s[i, j] + y), 1.0]])
        objective += 1.1 * (cp.normNuc(block) - 1)
    x, y, v1, v2 = product.x, product.y.T, product.left_scale, product.right_scale
    c = (z - ones @ b2).T
    block = cp.bmat([[v1 * v2 * (c + w2 @ y + x @ h.T + x @ y), v1 * (w2 + x)], [v2 * (h.T + y), np.eye(k)]])
    objective += 10.0 * (cp.normNuc(block) - k)
    program = cp.Problem(cp.Minimize(objective), [inputs @ w1.T + ones @ b1 == h - s])
    program.solve(solver=cp.CLARABEL)
    assert program.status == cp.OPTIMAL
    return float(program.value)


@pytest.mark.parametrize("seed", range(3))
def test_subproblem_against_cvxpy(seed: int) -> None:
    _, inputs, targets = core.make_teacher([3, 2, 2], "linear", 12, seed)
    problem = core.LiftedProblem(inputs, targets, [2], loss="squared", ridge=0.1)
    guess = core.random_parameters(problem, scale=0.5, seed=seed)
    pairs, product = guess.pair[0], guess.product[0]
    scale = np.random.default_rng(seed).uniform(0.5, 1.5, pairs.x.shape)
    parameters = core.RelaxationParameters(
        [core.PairParameters(pairs.x, pairs.y, scale)],
        [core.ProductParameters(product.x, product.y, left_scale=0.8, right_scale=1.3)],
    )
    point, result = core.solve_subproblem(problem, parameters, tolerance=1e-10, max_iterations=200000)
    assert result.status == "converged"
    found = core.violations(problem, point)
    assert max(found.affine, found.sign) < 1e-7
    objective = core.relaxation_objective(problem, parameters, point)
    # What it is made of is larger by the constants of the norms.
    size = objective + 1.1 * point.active[0].size + 10.0 * 2
    assert objective == pytest.approx(cvxpy_optimum(problem, parameters), abs=1e-6 * size)


@pytest.mark.parametrize("loss, parameter", [("absolute", 0.0), ("huber", 0.5), ("quantile", 0.2)])
def test_losses_and_sample_weights_without_hidden_layer(loss: str, parameter: float) -> None:
    """Then the problem is convex as it stands: linear regression, by CVXPY from the definition of the loss."""
    rng = np.random.default_rng(5)
    inputs, targets, weights = rng.standard_normal((40, 3)), rng.standard_normal((40, 1)), rng.uniform(0, 2, 40)
    problem = core.LiftedProblem(
        inputs, targets, [], loss=loss, loss_parameter=parameter, ridge=0.3, sample_weights=weights
    )
    point, result = core.solve_subproblem(problem, core.parameters_at(core.zero_point(problem)), tolerance=1e-10)
    assert result.status == "converged"
    w, b = cp.Variable((3, 1)), cp.Variable()
    e = inputs @ w + b - targets
    losses = {
        "absolute": cp.abs(e),
        "huber": 0.5 * cp.huber(e, 0.5),
        "quantile": parameter * cp.pos(-e) + (1 - parameter) * cp.pos(e),
    }
    objective = cp.sum(cp.multiply(weights[:, np.newaxis], losses[loss])) + 0.15 * cp.sum_squares(w)
    program = cp.Problem(cp.Minimize(objective))
    program.solve(solver=cp.CLARABEL)
    parameters = core.parameters_at(point)
    assert core.relaxation_objective(problem, parameters, point) == pytest.approx(program.value, rel=1e-6)


def test_true_parameters_make_the_relaxation_exact() -> None:
    model, inputs, targets = core.make_teacher([3, 4, 2], "relu", 30, 1)
    problem = core.LiftedProblem(inputs, targets, [4], output_activation="relu")
    truth = core.lift_network(problem, model.layers)
    assert core.violations(problem, truth).product < 1e-12
    parameters = core.parameters_at(truth)
    np.testing.assert_array_equal(parameters.product[0].x, -truth.layers[1][0])
    np.testing.assert_array_equal(parameters.pair[0].y, -truth.slack[0])
    assert core.relaxation_objective(problem, parameters, truth) == pytest.approx(0, abs=1e-9)
    point, _ = core.solve_subproblem(problem, parameters, tolerance=1e-10)
    assert core.relaxation_objective(problem, parameters, point) == pytest.approx(0, abs=1e-6)


def test_outer_loop_by_hand_is_the_library_s() -> None:
    _, inputs, targets = core.make_teacher([2, 3, 1], "linear", 25, 4)
    problem = core.LiftedProblem(inputs, targets, [3])
    solver = core.SubproblemSolver(problem)
    solver.set_parameters(core.random_parameters(problem, scale=0.3, seed=1))
    products = []
    for _ in range(15):
        solver.solve(tolerance=1e-8)
        products.append(core.violations(problem, solver.point).product)
        solver.set_parameters(core.parameters_at(solver.point))
    assert products[-1] < 0.5 * products[0]


def test_points_are_arrays_with_one_row_per_sample() -> None:
    _, inputs, targets = core.make_teacher([2, 5, 4, 3], "linear", 7, 0)
    problem = core.LiftedProblem(inputs, targets, [5, 4])
    point = core.zero_point(problem)
    assert [array.shape for array in point.active] == [(7, 5), (7, 4)]
    assert point.output.shape == (7, 3)
    assert [weights.shape for weights, _ in point.layers] == [(5, 2), (4, 5), (3, 4)]
    same = core.LiftedPoint(point.layers, point.active, point.slack, point.output)
    assert core.violations(problem, same).output == pytest.approx(np.abs(targets).max())


@pytest.mark.parametrize("activation, skip_connections", [("maxout", False), ("maxout", True), ("hard-tanh", True)])
def test_subproblem_of_other_networks(activation: str, skip_connections: bool) -> None:
    """Lifted values are the network's, the relaxation is exact there, and points go in and out."""
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((30, 3))
    problem = core.LiftedProblem(
        inputs, np.zeros((30, 2)), [4, 3], activation=activation, skip_connections=skip_connections
    )
    layers = [
        (0.7 * rng.standard_normal(w.shape), rng.standard_normal(len(b))) for w, b in core.zero_point(problem).layers
    ]
    assert layers[1][0].shape == (6 if activation == "maxout" else 3, 4 + 3 * skip_connections)
    model = Model(layers, activation=activation, skip_connections=skip_connections)
    point = core.lift_network(problem, layers)
    np.testing.assert_allclose(point.output, forward(model, inputs), atol=1e-12)
    problem = core.LiftedProblem(inputs, point.output, [4, 3], activation=activation, skip_connections=skip_connections)
    parameters = core.parameters_at(point)
    assert core.relaxation_objective(problem, parameters, point) == pytest.approx(0, abs=1e-9)
    solver = core.SubproblemSolver(problem)
    solver.set_parameters(parameters)
    given = {"skipped": inputs} if skip_connections else {}
    solver.set_point(
        core.LiftedPoint(
            point.layers, point.active, point.slack, point.output, activation, linear=point.linear, **given
        )
    )
    solver.solve(tolerance=1e-9)
    assert core.relaxation_objective(problem, parameters, solver.point) == pytest.approx(0, abs=1e-5)


def test_points_that_do_not_fit_are_refused() -> None:
    _, inputs, targets = core.make_teacher([2, 3, 1], "linear", 7, 0)
    problem, other = core.LiftedProblem(inputs, targets, [3]), core.LiftedProblem(inputs, targets, [4])
    point = core.zero_point(other)
    for call in (
        lambda: core.violations(problem, point),
        lambda: core.relaxation_objective(problem, core.parameters_at(core.zero_point(problem)), point),
        lambda: core.SubproblemSolver(problem).set_point(point),
        lambda: core.SubproblemSolver(problem).set_parameters(core.parameters_at(point)),
        lambda: core.lift_network(problem, point.layers),
        lambda: core.LiftedProblem(inputs[:5], targets, [3]),
    ):
        with pytest.raises(ValueError):
            call()
