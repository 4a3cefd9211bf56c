"""The network as peers train it: a flat vector of parameters, with residuals, Jacobian and gradient by hand."""

from __future__ import annotations

import numpy as np

from teachers.problems import Network, Problem


class Model:
    """Parameters are W1 (row by row), b1, W2, b2; with fixed output weights W1 alone.

    `one_sided`: at a target of zero under a ReLU output the residual is max(z, 0), elsewhere z - y without the ReLU.
    It vanishes where the plain residual relu(z) - y does, and its gradient does not vanish where an output is wrongly
    zero. It is what relufit's own search minimizes, so peers may have it too.
    """

    def __init__(self, problem: Problem, one_sided: bool = False):
        self.problem = problem
        n0, n1, n2 = problem.widths
        samples = problem.kind.samples
        self.fixed = problem.kind.fixed_output
        self.relu_output = problem.kind.relu_output
        self.one_sided = one_sided and self.relu_output
        self.positive = problem.targets > 0
        self.inputs = problem.inputs if self.fixed else np.vstack([problem.inputs, np.ones(samples)])
        self.shape = (n1, len(self.inputs))
        self.hidden_size = n1 * len(self.inputs)
        self.size = self.hidden_size + (0 if self.fixed else n2 * (n1 + 1))
        self.ones = np.ones((n2, n1))
        # Transposed: one row per parameter. Its zero entries are written once.
        self.jacobian_rows = np.zeros((self.size, n2 * samples))

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """PyTorch's default, uniform in +-1/sqrt(incoming weights); with fixed output weights randn / sqrt(k)."""
        n0, n1, n2 = self.problem.widths
        if self.fixed:
            return (rng.standard_normal((n1, n0)) / np.sqrt(n0)).ravel()
        first, second = 1 / np.sqrt(n0), 1 / np.sqrt(n1)
        return np.concatenate([rng.uniform(-first, first, n1 * (n0 + 1)), rng.uniform(-second, second, n2 * (n1 + 1))])

    def split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        """T = [W1 b1] (n1 x inputs with the row of ones), W2, b2 as a column."""
        hidden = parameters[: self.hidden_size].reshape(self.shape)
        if self.fixed:
            return hidden, self.ones, 0.0
        n1, n2 = self.problem.widths[1:]
        output = parameters[self.hidden_size :]
        return hidden, output[: n2 * n1].reshape(n2, n1), output[n2 * n1 :, None]

    def network(self, parameters: np.ndarray) -> Network:
        hidden, w2, b2 = self.split(parameters)
        if self.fixed:
            return Network(hidden, np.zeros(len(hidden)), w2, np.zeros(1))
        return Network(hidden[:, :-1], hidden[:, -1], w2, b2[:, 0])

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        hidden, w2, b2 = self.split(parameters)
        self.active = hidden @ self.inputs
        np.maximum(self.active, 0, out=self.active)
        outputs = w2 @ self.active + b2
        if not self.relu_output:
            self.slopes = None
            return (outputs - self.problem.targets).ravel()
        self.slopes = outputs > 0
        if self.one_sided:
            self.slopes |= self.positive
            return (np.where(self.slopes, outputs, 0) - self.problem.targets).ravel()
        return (np.maximum(outputs, 0) - self.problem.targets).ravel()

    def jacobian_transposed(self, parameters: np.ndarray) -> np.ndarray:
        """size x residuals, at the parameters of the last call of `residuals`; overwritten by the next call."""
        _, w2, _ = self.split(parameters)
        n1, n2 = self.problem.widths[1:]
        samples = self.problem.kind.samples
        rows = self.jacobian_rows
        first = (self.active > 0)[:, None, :] * self.inputs
        hidden = rows[: self.hidden_size].reshape(*self.shape, n2, samples)
        np.multiply(first[:, :, None, :], w2.T[:, None, :, None], out=hidden)
        if not self.fixed:
            weights = rows[self.hidden_size : self.hidden_size + n2 * n1].reshape(n2, n1, n2, samples)
            biases = rows[self.hidden_size + n2 * n1 :].reshape(n2, n2, samples)
            for output in range(n2):
                weights[output, :, output] = self.active
                biases[output, output] = 1
        if self.slopes is not None:
            rows *= self.slopes.ravel()
        return rows

    def gradient(self, parameters: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        """Of half the sum of squared residuals, which are those of the last call of `residuals`."""
        _, w2, _ = self.split(parameters)
        errors = residuals.reshape(self.problem.targets.shape)
        if self.slopes is not None:
            errors = errors * self.slopes
        hidden = ((w2.T @ errors) * (self.active > 0)) @ self.inputs.T
        if self.fixed:
            return hidden.ravel()
        return np.concatenate([hidden.ravel(), (errors @ self.active.T).ravel(), errors.sum(axis=1)])
