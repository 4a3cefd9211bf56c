"""The student as peers train it: a flat vector of parameters, with residuals and Jacobian by backpropagation."""

from __future__ import annotations

import numpy as np

from deep.problems import Layers, Problem


class Model:
    """Parameters are [W_l b_l], row by row, layer after layer. Arrays of the Jacobian are kept from call to call."""

    def __init__(self, problem: Problem):
        self.problem = problem
        widths = problem.kind.widths
        self.shapes = [(units, sources + 1) for sources, units in zip(widths, widths[1:])]
        self.ends = np.cumsum([units * sources for units, sources in self.shapes])
        self.size = int(self.ends[-1])
        samples = problem.kind.samples
        # Values of every layer but the last, with a row of ones for the bias.
        self.values = [np.ones((width + 1, samples)) for width in widths[:-1]]
        self.values[0][:-1] = problem.inputs
        # Transposed: one row per parameter. Its zero entries, in the output layer, are written once.
        self.jacobian_rows = np.zeros((self.size, widths[-1] * samples))

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """PyTorch's default: weights and biases uniform in +-1/sqrt(sources)."""
        bounds = [1 / np.sqrt(sources - 1) for _, sources in self.shapes]
        return np.concatenate([rng.uniform(-b, b, m * n) for b, (m, n) in zip(bounds, self.shapes)])

    def split(self, parameters: np.ndarray) -> list[np.ndarray]:
        parts = np.split(parameters, self.ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes)]

    def network(self, parameters: np.ndarray) -> Layers:
        return [(layer[:, :-1].copy(), layer[:, -1].copy()) for layer in self.split(parameters)]

    def residuals(self, parameters: np.ndarray) -> np.ndarray:
        *hidden, last = self.split(parameters)
        for number, layer in enumerate(hidden):
            np.maximum(layer @ self.values[number], 0, out=self.values[number + 1][:-1])
        return (last @ self.values[-1] - self.problem.targets).ravel()

    def jacobian_transposed(self, parameters: np.ndarray) -> np.ndarray:
        """size x residuals, at the parameters of the last call of `residuals`; overwritten by the next call."""
        layers = self.split(parameters)
        count, samples = self.shapes[-1][0], self.problem.kind.samples
        begins = [0, *self.ends[:-1]]
        blocks = [
            self.jacobian_rows[begin:end].reshape(*shape, count, samples)
            for begin, end, shape in zip(begins, self.ends, self.shapes)
        ]
        for output in range(count):
            blocks[-1][output, :, output] = self.values[-1]
        # Derivatives of the outputs by what enters the units of a layer: outputs x units x samples.
        slopes = np.broadcast_to(layers[-1][:, :-1, None], (count, self.shapes[-1][1] - 1, samples))
        for number in reversed(range(len(layers) - 1)):
            slopes = slopes * (self.values[number + 1][:-1] > 0)
            sources = self.values[number]
            np.multiply(slopes.transpose(1, 0, 2)[:, None], sources[None, :, None], out=blocks[number])
            slopes = layers[number][:, :-1].T @ slopes
        return self.jacobian_rows
