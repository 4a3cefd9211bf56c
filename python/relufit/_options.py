"""The library's options of a training, from the arguments of `train`."""

from __future__ import annotations

import json
import math
import numbers
import operator
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import _core
from ._core import Constraints

# What is expected, the type that stands for it, and what the library takes.
_REAL = ("a number", numbers.Real, float)
_AUTOMATIC = ('a number or "auto"', numbers.Real, float)
_WHOLE = ("a whole number", numbers.Integral, int)
_FLAG = ("True or False", (bool, np.bool_), bool)
_EXPECTED: dict[str, tuple[str, Any, type]] = {
    "bias": _FLAG,
    "checkpoint_interval": _REAL,
    "iterations": _WHOLE,
    "folds": _WHOLE,
    "group_lasso": _REAL,
    "inner_iterations": _WHOLE,
    "lambda_product": _REAL,
    "lambda_pair": _REAL,
    "lasso": _REAL,
    "left_scale": _REAL,
    "nuclear": _REAL,
    "over_relaxation": _REAL,
    "penalty_output": _REAL,
    "penalty_pair": _REAL,
    "penalty_product": _REAL,
    "polish": _FLAG,
    "random_scale": _REAL,
    "record_interval": _WHOLE,
    "pair_scale": _REAL,
    "ridge": _AUTOMATIC,
    "resume": _FLAG,
    "right_scale": _REAL,
    "seed": ("a whole number from 0 to 4294967295", numbers.Integral, int),
    "stall_window": _WHOLE,
    "skip_connections": _FLAG,
    "starts": _WHOLE,
    "threads": _WHOLE,
    "time_limit": _REAL,
    "tolerance": _REAL,
    "weight_grid": _REAL,
}
# What the parameter of a loss is, and what it is below.
_PARAMETERS = {"huber": ("its delta, a number > 0", math.inf), "quantile": ("the quantile, a number in (0, 1)", 1)}


def _set(options: _core.TrainOptions, name: str, value: Any) -> None:
    expected, kind, convert = _EXPECTED[name]
    try:
        if not isinstance(value, kind):
            raise TypeError
        setattr(options, name, convert(value))
    except (TypeError, OverflowError):
        raise ValueError(f"{name}: {value!r}, expected {expected}") from None


def load_constraints(constraints: Constraints | str | bytes | os.PathLike[Any] | Mapping[str, Any]) -> Constraints:
    """Constraints from a file, or from a mapping with the members of such a file (docs/constraints.md)."""
    if isinstance(constraints, Constraints):
        return constraints
    if isinstance(constraints, Mapping):
        return Constraints.parse(json.dumps(constraints, default=float))
    return Constraints.load(constraints)


def _set_loss(options: _core.TrainOptions, loss: str, parameter: float | None) -> None:
    """The loss with its parameter, which must be given where it is needed and nowhere else."""
    if not isinstance(loss, str):
        raise ValueError(f"loss: {loss!r}, expected the name of a loss")
    if parameter is not None and loss not in _PARAMETERS:
        raise ValueError(
            f"loss_parameter: {parameter!r} with the loss {loss!r}, expected 'huber' or 'quantile' with it"
        )
    if loss in _PARAMETERS:
        expected, bound = _PARAMETERS[loss]
        if not isinstance(parameter, numbers.Real) or not 0 < parameter < bound:
            raise ValueError(f"loss_parameter: {parameter!r}, the {loss} loss expects {expected}")
    options.set_loss(loss, 0.0 if parameter is None else float(parameter))


def _set_activation(options: _core.TrainOptions, activation: str, parameter: float | None) -> None:
    if not isinstance(activation, str):
        raise ValueError(f"activation: {activation!r}, expected the name of an activation")
    if parameter is not None and not isinstance(parameter, numbers.Real):
        raise ValueError(f"activation_parameter: {parameter!r}, expected a number")
    options.set_activation(activation, parameter)


def _units(hidden: Sequence[int]) -> list[int]:
    try:
        return [operator.index(count) for count in hidden]
    except TypeError:
        raise ValueError(f"hidden: {hidden!r}, expected a sequence of whole numbers") from None


def options_of(a: dict[str, Any]) -> _core.TrainOptions:
    """Arguments of `train` by name, checked one by one; how they go together is the library's to check."""
    options = _core.TrainOptions()
    options.automatic_width = isinstance(a["hidden"], str) and a["hidden"] == "auto"
    options.hidden = [] if options.automatic_width else _units(a["hidden"])
    _set_loss(options, a["loss"], a["loss_parameter"])
    _set_activation(options, a["activation"], a["activation_parameter"])
    options.set_output_activation(a["output_activation"])
    options.set_method(a["method"])
    options.set_init(a["init"])
    for name in _EXPECTED:
        automatic = _EXPECTED[name] == _AUTOMATIC and isinstance(a[name], str) and a[name] == "auto"
        if a[name] is not None and not automatic:
            _set(options, name, a[name])
    if a["checkpoint"] is not None:
        options.set_checkpoint(a["checkpoint"])
    if a["strategy"] is not None:
        options.set_strategy(a["strategy"])
    if a["constraints"] is not None:
        options.constraints = load_constraints(a["constraints"])
    return options
