from __future__ import annotations

import numpy as np

import relufit
from relufit import core


ACTIVATIONS = (
    ("relu", None), ("leaky-relu", 0.1), ("absolute", None), ("clipped-relu", 0.7), ("hard-tanh", None), ("maxout", None)
)  # fmt: skip


def random_model(seed: int, widest: int = 50) -> relufit.Model:
    """One to four layers, widths 1 to `widest`, all activations, scalings far from the identity."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, widest, size=rng.integers(2, 6), endpoint=True)
    skips = len(widths) > 2 and seed % 3 == 0
    activation, parameter = ACTIVATIONS[seed // 2 % 6 if len(widths) > 2 else 0]
    rows = [*(widths[1:-1] * (2 if activation == "maxout" else 1)), widths[-1]]
    layers = [
        (rng.standard_normal((after, columns)) / np.sqrt(columns), rng.standard_normal(after))
        for columns, after in zip([widths[0], *(widths[1:-1] + skips * widths[0])], rows)
    ]
    output = ("linear", "relu")[seed % 2]
    scale = 10.0 ** rng.uniform(-2, 2, widths[0])
    target_scale = 10.0 ** rng.uniform(-2, 2, widths[-1])
    target_offset = target_scale * rng.standard_normal(widths[-1]) * (output == "linear")
    input_scaling, target_scaling = (scale * rng.standard_normal(widths[0]), scale), (target_offset, target_scale)
    return relufit.Model(
        layers,
        output,
        input_scaling,
        target_scaling,
        activation=activation,
        activation_parameter=parameter,
        skip_connections=skips,
    )


def random_classifier(seed: int, widest: int = 50) -> relufit.Model:
    """The same for classes, by turns with each link."""
    regression = random_model(2 * seed, widest)  # with linear outputs
    link, outputs = ("softmax", "logistic", "none")[seed % 3], regression.widths[-1]
    one = link == "logistic" or (link == "none" and outputs < 3)
    outputs = 1 if one else max(outputs, 2)
    rng = np.random.default_rng(seed)
    before = regression.layers[-1][0].shape[1]
    last = (rng.standard_normal((outputs, before)) / np.sqrt(before), rng.standard_normal(outputs))
    names = [f"class {i}" if seed % 2 else str(i) for i in range(2 if one else outputs)]
    return relufit.Model(
        [*regression.layers[:-1], last],
        input_scaling=regression.input_scaling,
        classification=core.Classification("kind", names, link),
        activation=regression.activation,
        activation_parameter=regression.activation_parameter,
        skip_connections=regression.skip_connections,
    )


def is_sequential(model: relufit.Model) -> bool:
    """Whether PyTorch has it as a sequence of modules."""
    return model.activation != "maxout" and not model.skip_connections


def random_inputs(model: relufit.Model, samples: int, seed: int = 0) -> np.ndarray:
    """Inputs as the scaling expects them."""
    offset, scale = model.input_scaling
    return offset + scale * np.random.default_rng(seed).standard_normal((samples, len(offset)))


def activated(model: relufit.Model, z: np.ndarray) -> np.ndarray:
    """The hidden units' activation by its definition."""
    c = model.activation_parameter
    return {
        "relu": lambda: np.where(z < 0, 0, z),
        "leaky-relu": lambda: np.where(z < 0, c * z, z),
        "absolute": lambda: np.abs(z),
        "clipped-relu": lambda: np.clip(z, 0, c),
        "hard-tanh": lambda: np.clip(z, -1, 1),
        "maxout": lambda: np.maximum(*np.split(z, 2, axis=-1)),
    }[model.activation]()


def forward(model: relufit.Model, inputs: np.ndarray) -> np.ndarray:
    """The network's function by its definition."""
    values = scaled = (inputs - model.input_scaling[0]) / model.input_scaling[1]
    for index, (weights, bias) in enumerate(model.layers):
        values = np.hstack([values, scaled]) if index and model.skip_connections else values
        values = values @ weights.T + bias
        if index + 1 < len(model.layers):
            values = activated(model, values)
        elif model.output_activation == "relu":
            values = np.maximum(values, 0)
    return model.target_scaling[0] + model.target_scaling[1] * values


def same(a: relufit.Model, b: relufit.Model) -> bool:
    """Every number and name of two models, bit for bit."""
    arrays = lambda m: [*(x for layer in m.layers for x in layer), *m.input_scaling, *m.target_scaling]  # noqa: E731
    return (
        len(a.layers) == len(b.layers)
        and all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b)))
        and a.output_activation == b.output_activation
        and (a.activation, a.activation_parameter) == (b.activation, b.activation_parameter)
        and a.skip_connections == b.skip_connections
        and a.input_names == b.input_names
        and a.target_names == b.target_names
        and a.classification == b.classification
    )


def scaled_error(model: relufit.Model, outputs: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference in units of the targets' scale and size, which is what rounding is relative to."""
    offset, scale = model.target_scaling
    size = scale + np.abs(offset) + np.abs(expected).max(axis=0, initial=0)
    return float(np.max(np.abs(outputs - expected) / size))
