"""Random convex subproblems, in the notation of include/relufit/relaxation.h, and the program that solves them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np

Array = np.ndarray


@dataclasses.dataclass
class Pair:
    """Parameters of the complementarities of one hidden layer, arrays of shape (pieces * units, samples)."""

    x: Array
    y: Array
    scale: Array


@dataclasses.dataclass
class Product:
    """Parameters of the product of one layer; `left` and `right` are V1 and V2, scalars or matrices."""

    x: Array
    y: Array
    left: float | Array = 1.0
    right: float | Array = 1.0


# a(z) = offset + sum of above * max(z - threshold, 0) + below * max(threshold - z, 0) over the pieces.
LIFTS: dict[str, tuple[float, list[tuple[float, float, float]]]] = {
    "relu": (0, [(0, 1, 0)]),
    "leaky-relu": (0, [(0, 1, -0.3)]),
    "absolute": (0, [(0, 1, 1)]),
    "clipped-relu": (0, [(0, 1, 0), (0.7, -1, 0)]),
    "hard-tanh": (-1, [(-1, 1, 0), (1, -1, 0)]),
    "maxout": (0, [(0, np.sqrt(0.5), np.sqrt(0.5))]),  # and sqrt(0.5) times the free part
}
PARAMETERS = {"leaky-relu": 0.3, "clipped-relu": 0.7}


@dataclasses.dataclass
class Instance:
    """One convex subproblem."""

    inputs: Array
    targets: Array
    hidden: list[int]
    pair: list[Pair]
    product: list[Product]
    output: str = "linear"
    loss: str = "exact"
    ridge: float = 0.0
    bias: bool = True
    lambda_pair: float = 1.1
    lambda_product: float = 10.0
    weight_terms: list[dict] = dataclasses.field(default_factory=list)
    loss_parameter: float = 0.0
    sample_weights: list[float] = dataclasses.field(default_factory=list)
    output_lower: np.ndarray | None = None
    output_upper: np.ndarray | None = None
    output_terms: list[dict] = dataclasses.field(default_factory=list)
    activation: str = "relu"
    skip_connections: bool = False

    @property
    def lift(self) -> tuple[float, list[tuple[float, float, float]]]:
        """Offset of the activation, and (threshold, above, below) of its pieces."""
        return LIFTS[self.activation]

    @property
    def samples(self) -> int:
        return self.inputs.shape[1]

    @property
    def widths(self) -> list[int]:
        return [self.inputs.shape[0], *self.hidden, self.targets.shape[0]]

    @property
    def rows(self) -> list[int]:
        """Of the weights of every layer."""
        arguments = 2 if self.activation == "maxout" else 1
        return [*(arguments * units for units in self.hidden), self.targets.shape[0]]

    @property
    def columns(self) -> list[int]:
        """Of the weights of every layer."""
        skipped = self.inputs.shape[0] if self.skip_connections else 0
        return [width + (skipped if layer > 0 else 0) for layer, width in enumerate(self.widths[:-1])]

    @property
    def constant(self) -> float:
        """What the objective subtracts from the nuclear norms: sum of lambda ||P||_*."""
        pairs = sum(self.hidden) * self.samples * len(self.lift[1])
        return self.lambda_pair * pairs + self.lambda_product * sum(self.hidden)

    def to_json(self, **settings: object) -> str:
        """The input of solve_subproblem."""

        def scales(product: Product) -> dict[str, object]:
            if np.ndim(product.left) == 0:
                return {"left_scale": product.left, "right_scale": product.right}
            return {"left_matrix": product.left.tolist(), "right_matrix": product.right.tolist()}

        bounds = {"output_lower": self.output_lower, "output_upper": self.output_upper}
        return json.dumps(
            {
                "inputs": self.inputs.tolist(),
                "targets": self.targets.tolist(),
                "hidden": self.hidden,
                "output": self.output,
                "loss": self.loss,
                "loss_parameter": self.loss_parameter,
                "sample_weights": self.sample_weights,
                "ridge": self.ridge,
                "weight_terms": [
                    {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in term.items()}
                    for term in self.weight_terms
                ],
                "output_terms": self.output_terms,
                "bias": self.bias,
                "skip_connections": self.skip_connections,
                "activation": self.activation,
                **({"activation_parameter": PARAMETERS[self.activation]} if self.activation in PARAMETERS else {}),
                "weights": {"pair": self.lambda_pair, "product": self.lambda_product},
                "parameters": {
                    "pair": [
                        {"x": term.x.tolist(), "y": term.y.tolist(), "scale": term.scale.tolist()}
                        for term in self.pair
                    ],
                    "product": [{"x": term.x.tolist(), "y": term.y.tolist(), **scales(term)} for term in self.product],
                },
                **{name: bound.tolist() for name, bound in bounds.items() if bound is not None},
                **settings,
            }
        )


def random_instance(
    seed: int,
    samples: int,
    hidden: list[int],
    output: str = "linear",
    loss: str = "exact",
    ridge: float = 0.0,
    matrices: bool = False,
    inputs: int = 3,
    outputs: int = 2,
) -> Instance:
    """Data of a random teacher (with noise under the squared loss), parameters around another random network."""
    rng = np.random.default_rng(seed)
    widths = [inputs, *hidden, outputs]
    u = rng.standard_normal((inputs, samples))

    def network() -> tuple[list[Array], list[Array], list[Array], Array]:
        weights, active, slack = [], [], []
        value = u
        for before, after in zip(widths, widths[1:]):
            weights.append(0.7 * rng.standard_normal((after, before)))
            z = weights[-1] @ value + 0.2 * rng.standard_normal((after, 1))
            if len(weights) + 1 < len(widths):
                active.append(np.maximum(z, 0))
                slack.append(np.maximum(-z, 0))
                value = active[-1]
        return weights, active, slack, z

    targets = network()[3]
    if loss == "squared":
        targets = targets + 0.3 * rng.standard_normal(targets.shape)
    if output == "relu":
        targets = np.maximum(targets, 0)

    weights, active, slack, _ = network()
    pair, product = [], []
    for layer, units in enumerate(hidden):
        noise = 0.3 * rng.standard_normal((2, units, samples))
        scale = rng.uniform(0.3, 1.5, (units, samples))
        pair.append(Pair(noise[0] - active[layer], noise[1] - slack[layer], scale))
        x = 0.3 * rng.standard_normal((widths[layer + 2], units)) - weights[layer + 1]
        y = 0.3 * rng.standard_normal((units, samples)) - active[layer]
        left, right = rng.uniform(0.5, 2.0, 2)
        if matrices:
            left = left * np.eye(widths[layer + 2]) + 0.2 * rng.standard_normal((widths[layer + 2],) * 2)
            right = right * np.eye(samples) + 0.3 / np.sqrt(samples) * rng.standard_normal((samples, samples))
        product.append(Product(x, y, left, right))
    lambda_pair, lambda_product = rng.uniform(0.5, 2.0), rng.uniform(1.0, 10.0)
    return Instance(
        u, targets, hidden, pair, product, output, loss, ridge,
        lambda_pair=lambda_pair, lambda_product=lambda_product,
    )  # fmt: skip


def activation_instance(
    seed: int, samples: int, hidden: list[int], activation: str, loss: str, ridge: float
) -> Instance:
    """An instance whose complementarities and products have random parameters, unrelated to any network."""
    instance = random_instance(seed, samples, hidden, "linear", loss, ridge, inputs=2)
    instance.activation = activation
    rng = np.random.default_rng(20_000 + seed)
    for units, term in zip(hidden, instance.pair):
        shape = (units * len(instance.lift[1]), samples)
        term.x, term.y = -np.abs(rng.standard_normal((2, *shape)))
        term.scale = rng.uniform(0.3, 1.5, shape)
    for rows, product in zip(instance.rows[1:], instance.product):
        if rows > len(product.x):
            product.x = rng.standard_normal((rows, product.x.shape[1]))
    return instance


LOSSES = {
    "squared": 0.0, "absolute": 0.0, "huber": 0.4, "quantile": 0.2, "logistic": 0.0, "hinge": 0.0, "cross-entropy": 0.0
}  # fmt: skip


def loss_instance(
    seed: int, samples: int, hidden: list[int], loss: str, weighted: bool, ridge: float, outputs: int = 2
) -> Instance:
    """An instance with targets that suit the loss (classes as 0 and 1, noisy), and sample weights, one of them 0."""
    instance = random_instance(seed, samples, hidden, "linear", "squared", ridge, outputs=outputs)
    rng = np.random.default_rng(10_000 + seed)
    instance.loss, instance.loss_parameter = loss, LOSSES[loss]
    noisy = instance.targets + rng.standard_normal(instance.targets.shape)
    if loss in ("logistic", "hinge"):
        instance.targets = (noisy > 0).astype(float)
    elif loss == "cross-entropy":
        instance.targets = np.eye(outputs)[:, np.argmax(noisy, axis=0)]
    if weighted:
        instance.sample_weights = [0.0, *rng.uniform(0.1, 3, samples - 1)]
    return instance


def solve(program: Path, instance: Instance, folder: Path, **settings: object) -> dict:
    """Runs solve_subproblem on an instance; `settings` are further fields of its input."""
    path = folder / "subproblem.json"
    path.write_text(instance.to_json(**settings))
    done = subprocess.run([program, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
