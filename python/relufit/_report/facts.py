"""What is known about a training, from wherever it comes, in one form."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._core import Certificate, Model, TrainResult, check_constraints, class_indices
from .._frames import in_order
from .._labels import label_texts
from .._options import load_constraints


@dataclass(frozen=True)
class Samples:
    """Raw inputs (samples, inputs), and targets: numbers (samples, outputs), or positions of classes (samples,)."""

    name: str
    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Facts:
    model: Model
    trace: Mapping[str, np.ndarray]
    samples: list[Samples]  # the training data first
    title: str
    options: Mapping[str, str] = field(default_factory=dict)
    constraints: Sequence[tuple[str, float, bool]] = ()  # name, slack, whether it holds
    ridge: Mapping[str, Any] | None = None  # "chosen", "ridges", "held_out", "standard_error", "parts" where known
    widths: Mapping[str, Any] | None = None  # "chosen", "widths", "held_out"
    grid: Mapping[str, float] | None = None  # "step", "before", "rounded", "repaired"
    quantiles: bool = False  # whether the outputs are some
    certificate: Mapping[str, Any] | None = None  # as `relufit certify --json` prints it


_OF_CERTIFICATE = ("status", "objective", "lower_bound", "gap", "ridge", "unit_lower", "unit_upper", "cells", "seconds")


def samples_of(name: str, model: Model, inputs: Any, targets: Any, labels: Sequence[Any] | None = None) -> Samples:
    """As users give them. `labels` are those that the classes of an estimator stand for. ValueError where shapes or
    labels do not fit the model."""
    array = np.asarray(in_order(inputs, model.input_names), dtype=float)
    if array.ndim != 2 or array.shape[1] != model.widths[0] or not len(array):
        raise ValueError(f"{name}: inputs of shape {array.shape}, expected (samples, {model.widths[0]})")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: inputs that are not finite, expected finite numbers")
    columns = _positions(name, model, targets, labels) if model.classification else _numbers(name, model, targets)
    if len(columns) != len(array):
        raise ValueError(f"{name}: {len(columns)} targets for {len(array)} samples")
    return Samples(name, array, columns)


def _numbers(name: str, model: Model, targets: Any) -> np.ndarray:
    """Several quantiles have one target."""
    array = np.asarray(targets, dtype=float)
    array = array[:, np.newaxis] if array.ndim == 1 else array
    outputs = model.widths[-1]
    if array.ndim != 2 or array.shape[1] not in (1, outputs) or not np.isfinite(array).all():
        raise ValueError(f"{name}: targets of shape {array.shape}, expected (samples, {outputs}), finite")
    return np.broadcast_to(array, (len(array), outputs))


def _positions(name: str, model: Model, targets: Any, labels: Sequence[Any] | None) -> np.ndarray:
    if labels is not None:
        numbers = {label: position for position, label in enumerate(np.asarray(labels).tolist())}
        positions = np.array([numbers.get(label, -1) for label in np.asarray(targets).ravel().tolist()])
    else:
        positions = np.asarray(class_indices(model.classification, label_texts(targets)))
    if (positions < 0).any():
        sample = int(np.argmin(positions))
        label = np.asarray(targets, dtype=object).ravel()[sample]
        raise ValueError(f"{name}: {label!r} at sample {sample + 1}, expected one of the model's classes")
    return positions


def facts_of(
    source: Any,
    samples: list[Samples],
    *,
    title: str,
    options: Mapping[str, Any] | None,
    certificate: Certificate | None,
) -> Facts:
    """From a TrainResult or a fitted estimator."""
    told = {name: str(value) for name, value in (options or {}).items()}
    shared = {"samples": samples, "title": title, "certificate": _members(certificate, names=_OF_CERTIFICATE)}
    if isinstance(source, TrainResult):
        return Facts(
            source.model,
            source.trace,
            options=told,
            quantiles=source.model.training.loss == "quantile",
            constraints=[(check.name, check.slack, check.holds) for check in source.constraints],
            ridge=_members(
                source.ridge_choice, chosen="ridge", names=("ridges", "held_out", "standard_error", "parts")
            ),
            widths=_members(source.width_choice, chosen="width", names=("widths", "held_out")),
            grid=_members(source.grid, names=("step", "before", "rounded", "repaired")),
            **shared,
        )
    path = source.ridge_path_
    # Of several quantiles every part has a path of its own, which none stands for.
    ridge = {"chosen": source.ridge_, "ridges": path["ridge"], **path} if isinstance(path, Mapping) else None
    return Facts(
        source.model_,
        source.trace_,
        options={**_changed(source), **told},
        constraints=_checks(source.constraints, source.model_, samples[0].inputs),
        ridge=ridge,
        quantiles=source.loss == "quantile",
        **shared,
    )


def _members(source: Any, names: Sequence[str], chosen: str | None = None) -> dict[str, Any] | None:
    if source is None:
        return None
    return {
        **{name: getattr(source, name) for name in names},
        **({"chosen": getattr(source, chosen)} if chosen else {}),
    }


def _changed(estimator: Any) -> dict[str, str]:
    """The estimator's parameters that are not their defaults, and the layers."""
    defaults = type(estimator)().get_params()
    parameters = estimator.get_params()
    return {
        name: str(value)
        for name, value in parameters.items()
        if name == "hidden" or repr(value) != repr(defaults[name])
    }


def _checks(constraints: Any, model: Model, inputs: np.ndarray) -> list[tuple[str, float, bool]]:
    if constraints is None:
        return []
    checks = check_constraints(load_constraints(constraints), model, inputs)
    return [(check.name, check.slack, check.holds) for check in checks]


def facts_of_program(content: str | os.PathLike[str], model: str | os.PathLike[str]) -> Facts:
    """From the files that the program hands over for `--report`: its summary and more as JSON, and a model file."""
    with open(content, encoding="utf-8") as file:
        told = json.load(file)
    network = Model.load(model)
    summary = told["summary"]
    return Facts(
        network,
        {name: np.array(values, dtype=float) for name, values in told["trace"].items()},
        [_program_samples(network, part) for part in told["samples"]],
        told["title"],
        told["options"],
        [(check["name"], check["slack"], check["holds"]) for check in told["constraints"]],
        summary.get("ridge"),
        summary.get("hidden"),
        summary.get("weight_grid"),
        network.training.loss == "quantile",
        told["certificate"],
    )


def _program_samples(model: Model, part: Mapping[str, Any]) -> Samples:
    """Targets of classes as the network's outputs have them: 1 for the class, or for the second of two."""
    inputs, targets = (np.array(part[name], dtype=float) for name in ("inputs", "targets"))
    if model.classification is None:
        return Samples(part["name"], inputs, targets)
    positions = targets.argmax(axis=1) if targets.shape[1] > 1 else (targets[:, 0] > 0).astype(int)
    return Samples(part["name"], inputs, positions)
