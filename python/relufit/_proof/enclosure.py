"""Affine functions between which a network's values lie, over a cell and for given signs of some of its units.

A network is a sequence of linear maps and ReLUs: every activation here is D z + M relu(T z + t) + c. A value of the
network is any number that its layers can give, each rounded like `predict` does or not at all: bounds hold for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._core import Model
from .frame import Frame
from .programs import Cell, rounding


@dataclass(frozen=True)
class Affine:
    """Functions a d + b of the coordinates d, |d_k| <= 1."""

    slopes: np.ndarray
    offsets: np.ndarray

    def sizes(self) -> np.ndarray:
        """What no function's magnitude is above."""
        return np.abs(self.slopes).sum(axis=1) + np.abs(self.offsets)

    def largest(self, cell: Cell) -> np.ndarray:
        """What they are not above in the box of a cell."""
        ends = np.maximum(self.slopes * cell.lower, self.slopes * cell.upper).sum(axis=1) + self.offsets
        return ends + rounding(self.slopes.shape[1]) * self.sizes()

    def __neg__(self) -> Affine:
        return Affine(-self.slopes, -self.offsets)

    def take(self, index: int | slice) -> Affine:
        return Affine(self.slopes[index], self.offsets[index])

    def times(self, factors: np.ndarray) -> Affine:
        return Affine(factors[:, np.newaxis] * self.slopes, factors * self.offsets)

    def plus(self, constants: np.ndarray) -> Affine:
        return Affine(self.slopes, self.offsets + constants)


def stacked(*parts: Affine) -> Affine:
    return Affine(np.vstack([p.slopes for p in parts]), np.concatenate([p.offsets for p in parts]))


@dataclass(frozen=True)
class Band:
    """Values between two affine functions each."""

    lower: Affine
    upper: Affine

    def sizes(self) -> np.ndarray:
        return np.maximum(self.lower.sizes(), self.upper.sizes())

    def linear(self, weights: np.ndarray, bias: np.ndarray) -> Band:
        """W v + b, wider by the rounding of both the functions and the values."""
        up, down = np.maximum(weights, 0), np.minimum(weights, 0)
        margin = 2 * rounding(weights.shape[1]) * (np.abs(weights) @ self.sizes() + np.abs(bias))
        ends = []
        for same, other, sign in ((self.lower, self.upper, -1), (self.upper, self.lower, 1)):
            slopes = up @ same.slopes + down @ other.slopes
            ends.append(Affine(slopes, up @ same.offsets + down @ other.offsets + bias + sign * margin))
        return Band(*ends)


def joined(*parts: Band) -> Band:
    return Band(stacked(*(p.lower for p in parts)), stacked(*(p.upper for p in parts)))


@dataclass(frozen=True)
class Stage:
    """Linear map to z, ReLUs of T z + t, and the values D z + M relu(T z + t) + c that come after."""

    weights: np.ndarray
    bias: np.ndarray
    kinks: np.ndarray  # T
    shifts: np.ndarray
    direct: np.ndarray  # D
    after: np.ndarray  # M
    constants: np.ndarray

    @property
    def units(self) -> int:
        return len(self.shifts)


def _activated(weights: np.ndarray, bias: np.ndarray, name: str, parameter: float | None) -> Stage:
    rows = len(bias)
    one, none, zeros, ones = np.eye(rows), np.zeros((rows, rows)), np.zeros(rows), np.ones(rows)
    if name == "maxout":
        half = rows // 2
        one = np.eye(half)
        first, second = np.hstack([one, 0 * one]), np.hstack([0 * one, one])
        return Stage(weights, bias, first - second, np.zeros(half), second, one, np.zeros(half))
    twice, both = np.vstack([one, one]), np.hstack([one, -one])
    c = parameter or 0.0
    pieces = {  # T, t, D, M, c
        "relu": (one, zeros, none, one, zeros),
        "leaky-relu": (one, zeros, c * one, (1 - c) * one, zeros),
        "absolute": (one, zeros, -one, 2 * one, zeros),
        "clipped-relu": (twice, np.append(zeros, -c * ones), none, both, zeros),
        "hard-tanh": (twice, np.append(ones, -ones), none, both, -ones),
    }
    if name not in pieces:
        raise ValueError(f"model: the activation {name!r}, expected one of {', '.join([*pieces, 'maxout'])}")
    return Stage(weights, bias, *pieces[name])


class Network:
    """A model as stages, in the coordinates of a frame."""

    def __init__(self, model: Model, frame: Frame) -> None:
        self.skips = bool(model.skip_connections)
        offset, scale = (np.array(part) for part in model.input_scaling)
        slopes, middle = frame.radius / scale, (frame.middle - offset) / scale
        inputs = Affine(np.diag(slopes), middle)
        margin = 2 * rounding(1) * inputs.sizes()
        self.inputs = Band(inputs.plus(-margin), inputs.plus(margin))
        *hidden, last = ((np.array(weights), np.array(bias)) for weights, bias in model.layers)
        self.stages = [_activated(*layer, model.activation, model.activation_parameter) for layer in hidden]
        target_offset, target_scale = (np.array(part) for part in model.target_scaling)
        self.last, self.scaling = last, (np.diag(target_scale), target_offset)
        if model.output_activation == "relu":
            self.stages.append(_activated(*last, "relu", None))
            self.last = (np.eye(len(target_offset)), np.zeros(len(target_offset)))
        self.ends_in_relu = model.output_activation == "relu"
        self.influence = self._influence()

    def _influence(self) -> list[np.ndarray]:
        """Per stage and unit: what a change of its ReLU changes the outputs by at most."""
        after = np.abs(self.scaling[0] @ self.last[0]).sum(axis=0)
        found = []
        for stage in reversed(self.stages):
            after = after[: len(stage.constants)]  # of the values, not of skip connections
            found.append(np.abs(stage.after).T @ after)
            after = np.abs(stage.weights).T @ (np.abs(stage.direct).T @ after + np.abs(stage.kinks).T @ found[-1])
        return found[::-1]

    def seen(self, stage: int, values: Band) -> Band:
        """What the layer of this number takes: the values before it, with skip connections the inputs, too."""
        if self.skips and stage > 0 and not (self.ends_in_relu and stage == len(self.stages)):
            return joined(values, self.inputs)
        return values

    def outputs(self, relaxed: Callable[[int, Band], Band]) -> Band:
        """Functions between which the outputs lie; relaxed(stage, T z + t) are those of the ReLUs."""
        values = self.inputs
        for number, stage in enumerate(self.stages):
            z = self.seen(number, values).linear(stage.weights, stage.bias)
            kinks = relaxed(number, z.linear(stage.kinks, stage.shifts))
            maps = np.hstack([stage.direct, stage.after])
            values = joined(z, kinks).linear(maps, stage.constants)
        return self.seen(len(self.stages), values).linear(*self.last).linear(*self.scaling)


def relaxed_relu(z: Band, signs: np.ndarray, least: np.ndarray, most: np.ndarray) -> Band:
    """Functions around max(0, z) where z is between them and between the numbers `least` and `most`. Of sign 1 or -1 it
    is z or 0; else between z times 0 or 1 and the chord k z - k l, k = u / (u - l), for l = least, u = most."""
    undecided = signs == 0
    low, high = np.where(undecided, np.minimum(least, 0), -1.0), np.where(undecided, np.maximum(most, 0), 1.0)
    width = np.where(high - low > 0, high - low, 1.0)
    chord = np.where(undecided, np.minimum(high / width * (1 + rounding(0)), 1), signs == 1)
    slope = np.where(undecided, high > -low, signs == 1).astype(float)
    lift = np.where(undecided, -chord * low, 0) + np.where(undecided, rounding(0) * (z.upper.sizes() - low), 0)
    return Band(z.lower.times(slope), z.upper.times(chord).plus(lift))
