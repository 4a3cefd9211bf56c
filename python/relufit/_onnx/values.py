"""What the tensors of a graph are as functions of its inputs.

A network is affine between its activations. So every tensor (samples, columns) is an affine function of a *base*: of
the inputs, of the units of a hidden layer, or of both side by side. Operators make new values of these; which nodes lie
on the way from the inputs to the outputs, and in what order, need not be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of the graph."""

    size: int
    rows: int | None = None  # None: any number of samples


@dataclass(frozen=True, eq=False)
class Units:
    """Hidden units: an activation of an affine function. "clamp": between two bounds, which are the parameter."""

    activation: str
    parameter: Any
    argument: Affine

    @property
    def size(self) -> int:
        return self.argument.size // (2 if self.activation == "maxout" else 1)


@dataclass(frozen=True, eq=False)
class Seen:
    """Hidden units, and the inputs behind them."""

    units: Units
    inputs: Inputs

    @property
    def size(self) -> int:
        return self.units.size + self.inputs.size


Base = Union[Inputs, Units, Seen]


@dataclass(frozen=True, eq=False)
class Affine:
    """weights @ (base - center) + bias, for each sample.

    weights None is the identity, and center None is 0: what was read stays as it is, bit for bit. The center keeps an
    offset of the inputs apart, which weights @ center would mix with the bias.
    """

    base: Base
    weights: Array | None
    bias: Array
    center: Array | None = None
    multiple: tuple[Affine, float] | None = None  # another value and the factor of which this is the product

    @property
    def size(self) -> int:
        return len(self.bias)

    def is_base(self) -> bool:
        return self.weights is None and self.center is None and not self.bias.any()

    def matrix(self) -> Array:
        return np.eye(self.size) if self.weights is None else self.weights

    def constants(self) -> Array | None:
        """The bias, where it is all there is."""
        return self.bias if self.weights is not None and not self.weights.any() else None

    def recentered(self, center: Array | None) -> Affine:
        """The same function with another center."""
        if center is self.center:
            return self
        zero = np.zeros(self.base.size)
        change = (zero if center is None else center) - (zero if self.center is None else self.center)
        bias = self.bias + self.matrix() @ change if change.any() else self.bias
        return Affine(self.base, self.weights, bias, center)


def identity(base: Base) -> Affine:
    return Affine(base, None, np.zeros(base.size))


def composed(value: Affine, weights: Array, bias: Array) -> Affine:
    """weights @ value + bias."""
    if value.size != weights.shape[1]:
        raise ValueError(f"weights of shape {weights.shape[::-1]}, expected {value.size} rows")
    shifted = weights @ value.bias + bias if value.bias.any() else bias
    return Affine(value.base, weights if value.weights is None else weights @ value.weights, shifted, value.center)


def shifted(value: Affine, offset: Array) -> Affine:
    if isinstance(value.base, Inputs) and value.weights is None and not value.bias.any():
        return Affine(value.base, None, value.bias, (0 if value.center is None else value.center) - offset)
    return Affine(value.base, value.weights, value.bias + offset, value.center)


def scaled(value: Affine, factor: Array) -> Affine:
    if (factor == 1).all():
        return value
    weights = factor[:, np.newaxis] * value.matrix()
    same = len(factor) > 0 and (factor == factor[0]).all()
    return Affine(value.base, weights, factor * value.bias, value.center, (value, factor[0]) if same else None)


def added(a: Affine, b: Affine, sign: int = 1) -> Affine:
    """a + b, or a - b with the sign -1."""
    if a.size != b.size:
        raise ValueError(f"operands with {a.size} and {b.size} columns, expected as many")
    a, b = _on_one_base([a, b])
    return Affine(a.base, a.matrix() + sign * b.matrix(), a.bias + sign * b.bias, a.center)


def stacked(values: list[Affine]) -> Affine:
    """Columns of all values, side by side."""
    if len(values) == 2 and isinstance(values[0].base, Units) and isinstance(values[1].base, Inputs):
        first, second = values
        if first.is_base() and second.weights is None and not second.bias.any():
            return _seen(first.base, second)
    parts = _on_one_base(values)
    weights, bias = np.vstack([part.matrix() for part in parts]), np.concatenate([part.bias for part in parts])
    return Affine(parts[0].base, weights, bias, parts[0].center)


def _seen(units: Any, inputs: Affine) -> Affine:
    """Units and the inputs, as they are but for a center."""
    center = None if inputs.center is None else np.concatenate([np.zeros(units.size), inputs.center])
    base = Seen(units, inputs.base)  # type: ignore[arg-type]
    return Affine(base, None, np.zeros(base.size), center)


def _on_one_base(values: list[Affine]) -> list[Affine]:
    """The same functions, all of one base and with one center."""
    units = {id(unit): unit for value in values if (unit := _units(value.base)) is not None}
    if len(units) > 1:
        raise ValueError("operands that come from different hidden layers, expected them from one, or from the inputs")
    if units and any(not isinstance(value.base, Units) for value in values):
        inputs = next(base for value in values if (base := _inputs(value.base)) is not None)
        base = Seen(next(iter(units.values())), inputs)
        values = [_lifted(value, base) for value in values]
    center = next((value.center for value in values if value.center is not None), None)
    return [value.recentered(center) for value in values]


def _units(base: Base) -> Units | None:
    return base.units if isinstance(base, Seen) else base if isinstance(base, Units) else None


def _inputs(base: Base) -> Inputs | None:
    return base.inputs if isinstance(base, Seen) else base if isinstance(base, Inputs) else None


def _lifted(value: Affine, base: Seen) -> Affine:
    """A function of the units or of the inputs as one of both."""
    if isinstance(value.base, Seen):
        return Affine(base, value.weights, value.bias, value.center)
    before, after = (base.units.size, 0) if isinstance(value.base, Inputs) else (0, base.inputs.size)
    weights = np.pad(value.matrix(), ((0, 0), (before, after)))
    center = None if value.center is None else np.pad(value.center, (before, after))
    return Affine(base, weights, value.bias, center)


def activated(value: Affine, activation: str, parameter: Any = None) -> Affine:
    return identity(Units(activation, parameter, value))


def clamped(value: Affine, least: float, most: float) -> Affine:
    """min(max(value, least), most); of what is clamped already, clamped once."""
    if value.is_base() and isinstance(value.base, Units) and value.base.activation == "clamp":
        low, high = (float(np.clip(bound, least, most)) for bound in value.base.parameter)
        return activated(value.base.argument, "clamp", (low, high))
    return activated(value, "clamp", (least, most))


def larger(a: Affine, b: Affine) -> Affine:
    """The maximum of two functions: of z and c z a leaky ReLU, else units of two arguments."""
    for value, other in ((a, b), (b, a)):
        if other.multiple is not None and other.multiple[0] is value and -1 <= other.multiple[1] < 1:
            return leaky(value, other.multiple[1])
        bound = other.constants()
        if bound is not None and (bound == bound[0]).all():
            return clamped(value, float(bound[0]), np.inf)
    if a.size != b.size:
        raise ValueError(f"operands with {a.size} and {b.size} columns, expected as many")
    return activated(stacked([a, b]), "maxout")


def leaky(value: Affine, slope: float) -> Affine:
    return activated(value, "absolute") if slope == -1 else activated(value, "leaky-relu", float(slope))


@dataclass(frozen=True, eq=False)
class Source:
    """Inputs that are not yet numbers in rows: of another type or with more dimensions."""

    inputs: Inputs
    shape: tuple[Optional[int], ...]  # None: any number of samples
    kind: int  # of ONNX


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Softmax of the scores, or some columns of it (`columns` None: all)."""

    scores: Affine
    column: int | None = None


@dataclass(frozen=True, eq=False)
class Labels:
    """For each sample the name at the position of its largest score; names None: the position itself."""

    scores: Affine
    names: Array | None
    shape: str  # "row", "column" or "list": (1, samples), (samples, 1) or (samples,)


@dataclass(frozen=True, eq=False)
class ProbabilityMaps:
    """Probabilities as maps from names."""

    probabilities: Probabilities
    names: list[str]
