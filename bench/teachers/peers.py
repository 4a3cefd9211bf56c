"""Peers with SciPy and scikit-learn, and Levenberg-Marquardt by Cholesky factorization.

Every start ends at the goal, at its own stopping rule, or at the time limit, and keeps the best network it has seen.
Their settings were chosen in their favour on seeds 3000 to 3309.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.optimize import leastsq, minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from teachers.contest import Attempt, Contestant, Ended
from teachers.models import Model
from teachers.problems import Network, Problem


class Watch:
    """The best parameters seen; ends a start at the goal or at the time limit."""

    def __init__(self, goal: float, limit: float):
        self.goal = goal
        self.deadline = time.process_time() + limit
        self.lowest = np.inf
        self.parameters: np.ndarray

    def see(self, parameters: np.ndarray, squared_errors: float) -> None:
        if squared_errors < self.lowest or self.lowest == np.inf:
            self.lowest, self.parameters = squared_errors, parameters.copy()
        if squared_errors <= self.goal or time.process_time() > self.deadline:
            raise Ended


Minimize = Callable[[Model, np.ndarray, Watch], None]


def minpack(model: Model, start: np.ndarray, watch: Watch) -> None:
    """`least_squares(method="lm")` without its preparations, which take longer than a small problem."""

    def residuals(parameters: np.ndarray) -> np.ndarray:
        values = model.residuals(parameters)
        watch.see(parameters, values @ values)
        return values

    options = {"ftol": 1e-10, "xtol": 1e-10, "maxfev": 100, "full_output": True}
    leastsq(residuals, start, Dfun=model.jacobian_transposed, col_deriv=True, **options)


def cholesky(window: int, fall: float) -> Minimize:
    """Levenberg-Marquardt on the normal equations: damping relative to the largest curvature at the start, updated by
    Nielsen's rule; given up where `window` steps lower the squared errors by less than the fraction `fall`."""

    def run(model: Model, parameters: np.ndarray, watch: Watch) -> None:
        residuals = model.residuals(parameters)
        costs = [residuals @ residuals]
        damping, growth = 0.0, 2.0
        for _ in range(200):
            jacobian = model.jacobian_transposed(parameters)
            curvature, gradient = jacobian @ jacobian.T, jacobian @ residuals
            largest = curvature.diagonal().max()
            damping = damping or largest
            gain = -1.0
            while gain < 1e-4:
                if not damping < 1e16 * largest:
                    return
                damped = curvature.copy()
                damped.flat[:: len(damped) + 1] += damping
                _, step, failed = dposv(damped, gradient)
                candidate = parameters - step
                values = model.residuals(candidate)
                cost = values @ values
                watch.see(candidate, cost)
                gain = -1.0 if failed else (costs[-1] - cost) / (step @ (damping * step + gradient))
                if gain < 1e-4:
                    damping, growth = damping * growth, growth * 2
            damping, growth = damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 2.0
            parameters, residuals = candidate, values
            costs.append(cost)
            if len(costs) > window and cost > (1 - fall) * costs[-1 - window]:
                return

    return run


def quasi_newton(model: Model, start: np.ndarray, watch: Watch) -> None:
    def half_square(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        residuals = model.residuals(parameters)
        watch.see(parameters, residuals @ residuals)
        return 0.5 * (residuals @ residuals), model.gradient(parameters, residuals)

    options = {"maxiter": 500, "maxfun": 1000, "ftol": 1e-9, "gtol": 1e-12, "maxcor": 20}
    minimize(half_square, start, jac=True, method="L-BFGS-B", options=options)


def runner(minimize_from: Minimize) -> Callable[[Problem, Sequence[int], float], list[Attempt]]:
    def run(problem: Problem, starts: Sequence[int], limit: float) -> list[Attempt]:
        (start,) = starts
        wall, processor = time.perf_counter(), time.process_time()
        model = Model(problem, one_sided=True)
        watch = Watch(problem.goal, limit)
        with contextlib.suppress(Ended):
            minimize_from(model, model.start(np.random.default_rng([problem.seed, start])), watch)
        network = model.network(watch.parameters)
        return [Attempt(network, time.process_time() - processor, time.perf_counter() - wall)]

    return run


def multilayer_perceptron(problem: Problem, starts: Sequence[int], limit: float) -> list[Attempt]:
    """Its L-BFGS stops where the loss falls by 2e-9, far from a fit, and has no option for that: so it is started again
    where it ended, as long as it gets ahead."""
    (start,) = starts
    wall, processor = time.perf_counter(), time.process_time()
    inputs, targets = problem.inputs.T, problem.targets.T
    if targets.shape[1] == 1:
        targets = targets[:, 0]
    model = MLPRegressor(
        hidden_layer_sizes=(problem.widths[1],), solver="lbfgs", alpha=0, tol=1e-12, max_iter=200, warm_start=True,
        random_state=(problem.seed * 1000 + start) % 2**32,
    )  # fmt: skip
    lowest = np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        while time.process_time() - processor < limit:
            model.fit(inputs, targets)
            errors = model.predict(inputs) - targets
            squared = float(np.sum(errors**2))
            if squared <= problem.goal or not squared < 0.9 * lowest:
                break
            lowest = squared
    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    network = Network(w1.T, b1, w2.T, b2)
    return [Attempt(network, time.process_time() - processor, time.perf_counter() - wall)]


def linear_free(problem: Problem) -> str | None:
    if problem.kind.relu_output:
        return "outputs are always linear"
    return "biases cannot be left out, nor output weights fixed" if problem.kind.fixed_output else None


CONTESTANTS = [
    Contestant("Levenberg-Marquardt, SciPy (MINPACK)", runner(minpack)),
    Contestant("Levenberg-Marquardt, Cholesky", runner(cholesky(10, 0.1))),
    Contestant("Levenberg-Marquardt, Cholesky, given up early", runner(cholesky(5, 0.2))),
    Contestant("L-BFGS-B, SciPy", runner(quasi_newton)),
    Contestant("MLPRegressor, L-BFGS, scikit-learn", multilayer_perceptron, refuses=linear_free),
]
