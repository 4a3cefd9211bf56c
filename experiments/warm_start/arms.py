"""One arm: a start, an optimizer, and what they reached on one task within its budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from warm_start.descents import Record, adam, quasi_newton
from warm_start.networks import dead_units, held_out
from warm_start.starts import Start, make_start
from warm_start.tasks import Task, curve_times

OPTIMIZERS = ("adam", "l-bfgs")


@dataclass(frozen=True)
class Settings:
    """What pilot runs have chosen for one task: docs/warm-starts.md."""

    rates: Mapping[str, float]  # of Adam, by start
    variants: Mapping[str, str]  # of Kaiming's rule, by optimizer
    thresholds: Mapping[str, float]  # levels whose time is reported, by optimizer; arms do without them


def run_arm(task: Task, kind: str, optimizer: str, first: Start, settings: Settings) -> dict:
    """A line of the results. `first`: start 0 of this kind, which may have been made for another optimizer already; its
    cost is charged to this arm all the same."""
    variant = settings.variants[optimizer]
    if optimizer == "adam":
        record = adam(task, [first], [settings.rates[kind]])
        ended = [record.level]
    else:
        record, ended = quasi_newton(task, first, lambda number: make_start(task, kind, number, variant))
    network = record.network()
    loss, accuracy = held_out(task, network)
    return {
        "task": task.name,
        "seed": task.seed,
        "start": kind,
        "optimizer": optimizer,
        "start_seconds": short(first.seconds),
        "start_status": first.status,
        "start_level": short(record.curve[0][1]),
        "start_dead_units": dead_units(task, first.network),
        "seconds": short(record.seconds),
        "level": short(record.level),
        "descents": len(ended),
        "first_level": short(ended[0]),
        "solved": None if task.problem is None else bool(task.problem.solved_by(network)),
        "held_out_loss": None if loss is None else short(loss),
        "held_out_accuracy": None if accuracy is None else short(accuracy),
        "curve": sampled(record, task.name),
    }


def sampled(record: Record, name: str) -> list[float | None]:
    """Lowest level at the times `curve_times`; None before the start was made."""
    seconds = np.array([seconds for seconds, _ in record.curve])
    found = np.searchsorted(seconds, curve_times(name), side="right") - 1
    return [None if index < 0 else short(record.curve[index][1], 4) for index in found]


def short(value: float, digits: int = 6) -> float:
    return float(f"{value:.{digits}g}")
