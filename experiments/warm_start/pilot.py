"""Choices made before the experiment, on seeds that it does not use: rates of Adam, variant of Kaiming's rule, and the
levels whose time is measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from warm_start.arms import Settings
from warm_start.descents import RATES, adam, quasi_newton
from warm_start.starts import KAIMING, STARTS, make_start, refusal
from warm_start.tasks import make_task

THRESHOLD_FACTOR = 1.05


def choose(name: str, seeds: Sequence[int], known: Mapping[str, float]) -> Settings:
    """By the median of final levels over the seeds. Rates and variants of one start run side by side and share the time
    they have; L-BFGS has no rate. The threshold of an optimizer is 1.05 times the median that the best Kaiming
    variant (Adam: and rate) reached, and at least the level at which arms stop. `known`: rates of starts that need not be tried again."""
    tasks = [make_task(name, seed) for seed in seeds]
    rates, variants, thresholds = dict(known), {}, {}
    for kind in STARTS:
        if refusal(tasks[0], kind) or kind in known:
            continue
        kinds = KAIMING if kind == "kaiming" else ("",)
        levels = []  # seeds x rates x variants
        for task in tasks:
            record = adam(task, [make_start(task, kind, 0, variant) for variant in kinds], RATES)
            found = [task.level(value) for value in record.lowest.tolist()]
            levels.append(np.reshape(found, (len(RATES), len(kinds))))
        medians = np.median(levels, axis=0)
        rate, variant = np.unravel_index(medians.argmin(), medians.shape)
        rates[kind] = RATES[rate]
        if kind == "kaiming":
            variants["adam"], thresholds["adam"] = KAIMING[variant], medians.min()
    found = {
        variant: statistics.median(
            quasi_newton(
                task, make_start(task, "kaiming", 0, variant),
                lambda number, task=task, variant=variant: make_start(task, "kaiming", number, variant),
            )[0].level
            for task in tasks
        )
        for variant in KAIMING
    }  # fmt: skip
    variants["l-bfgs"] = min(found, key=found.get)
    thresholds["l-bfgs"] = min(found.values())
    goal = max(task.goal for task in tasks)
    return Settings(
        rates, variants, {key: float(f"{max(THRESHOLD_FACTOR * value, goal):.4g}") for key, value in thresholds.items()}
    )
