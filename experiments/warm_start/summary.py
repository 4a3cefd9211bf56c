"""Estimates from the results, with 95% intervals."""

from __future__ import annotations

import gzip
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from teachers.estimates import Interval, success_share

from warm_start.starts import STARTS
from warm_start.tasks import BUDGETS, curve_times

RESAMPLES = 4000
TIE = 0.01  # levels that differ by less than this, relatively, count as equal


@dataclass(frozen=True)
class Cell:
    """A start with an optimizer on one task. `ratio`: median over seeds of the final level over that from Kaiming's
    start with the same seed. `better`, `worse`: seeds where the final level is lower and higher than Kaiming's by more
    than TIE; `p`: of the sign test of these. `reached`: seeds that came to the threshold; `sooner`, `later`: those where
    it is reached at an earlier and a later time of the curve than in Kaiming's arm."""

    seeds: int
    level: Interval
    solved: int | None  # None: no success is defined
    share: Interval | None
    reached: int
    reached_seconds: float  # median, infinite where fewer than half reach it
    ratio: Interval
    better: int
    worse: int
    p: float
    sooner: int
    later: int
    start_seconds: float
    start_level: float
    start_dead_units: float  # mean
    first_level: float
    descents: float  # median
    held_out: Interval | None


def load(path: Path) -> list[dict]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def median_interval(values: Sequence[float]) -> Interval:
    """Median with a bootstrap interval of percentiles. Infinite values are allowed."""
    array = np.asarray(values, dtype=float)
    picks = np.random.default_rng(0).integers(len(array), size=(RESAMPLES, len(array)))
    medians = np.sort(_medians(array[picks]))
    low, high = medians[math.floor(0.025 * RESAMPLES)], medians[math.ceil(0.975 * RESAMPLES) - 1]
    return Interval(float(_medians(array[None])[0]), float(low), float(high))


def _medians(rows: np.ndarray) -> np.ndarray:
    """Of every row; with infinite entries the mean of two of them must not become nan."""
    ordered = np.sort(rows, axis=1)
    count = rows.shape[1]
    return 0.5 * ordered[:, (count - 1) // 2] + 0.5 * ordered[:, count // 2]


def select(rows: Sequence[dict], task: str, start: str, optimizer: str) -> dict[int, dict]:
    """By seed."""
    return {
        row["seed"]: row for row in rows if (row["task"], row["start"], row["optimizer"]) == (task, start, optimizer)
    }


def goal(rows: Sequence[dict], task: str) -> float:
    """Largest level of an arm that succeeded; 0 where there is no success. Arms stop about there, so that levels below
    it are equally good."""
    return max((row["level"] for row in rows if row["task"] == task and row["solved"]), default=0.0)


def reached(row: dict, threshold: float) -> float:
    """The first of the times of the curve at which the level is not above the threshold; infinite if it stays above."""
    times = zip(curve_times(row["task"]), row["curve"], strict=True)
    return next((seconds for seconds, level in times if level is not None and level <= threshold), math.inf)


def compare(rows: Sequence[dict], task: str, start: str, optimizer: str, threshold: float) -> Cell:
    own, kaiming = (select(rows, task, name, optimizer) for name in (start, "kaiming"))
    if sorted(own) != sorted(kaiming):
        raise ValueError(f"{task}, {start}, {optimizer}: seeds {sorted(own)}, expected {sorted(kaiming)}")
    floor = goal(rows, task)
    pairs = [(max(own[seed]["level"], floor), max(kaiming[seed]["level"], floor)) for seed in own]
    better = sum(mine < (1 - TIE) * other for mine, other in pairs)
    worse = sum(other < (1 - TIE) * mine for mine, other in pairs)
    times = [(reached(own[seed], threshold), reached(kaiming[seed], threshold)) for seed in own]
    runs = list(own.values())
    solved = None if runs[0]["solved"] is None else [int(row["solved"]) for row in runs]
    held_out = [row["held_out_loss"] for row in runs]
    logarithms = median_interval([math.log(mine / other) for mine, other in pairs])
    return Cell(
        seeds=len(runs),
        level=median_interval([row["level"] for row in runs]),
        solved=None if solved is None else sum(solved),
        share=None if solved is None else success_share(solved, [1] * len(solved)),
        reached=sum(math.isfinite(mine) for mine, _ in times),
        reached_seconds=median_interval([mine for mine, _ in times]).value,
        ratio=Interval(*(math.exp(value) for value in (logarithms.value, logarithms.low, logarithms.high))),
        better=better,
        worse=worse,
        p=binomtest(better, better + worse).pvalue if better + worse else 1.0,
        sooner=sum(mine < other for mine, other in times),
        later=sum(mine > other for mine, other in times),
        start_seconds=float(np.median([row["start_seconds"] for row in runs])),
        start_level=float(np.median([row["start_level"] for row in runs])),
        start_dead_units=float(np.mean([row["start_dead_units"] for row in runs])),
        first_level=float(np.median([row["first_level"] for row in runs])),
        descents=float(np.median([row["descents"] for row in runs])),
        held_out=None if held_out[0] is None else median_interval(held_out),
    )


def table(rows: Sequence[dict], chosen: Mapping) -> dict[tuple[str, str, str], Cell]:
    """By task, start and optimizer; `chosen`: what the pilot runs did, by task."""
    there = {(row["task"], row["start"], row["optimizer"]) for row in rows}
    keys = [key for key in itertools.product(BUDGETS, STARTS, ("adam", "l-bfgs")) if key in there]
    return {key: compare(rows, *key, chosen[key[0]]["thresholds"][key[2]]) for key in keys}
