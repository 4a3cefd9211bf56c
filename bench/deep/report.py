"""Tables of the races, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deep.problems import EXACT_RESIDUAL, kind_named


def quartiles(values: Sequence[float]) -> str:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{median:.1e} ({low:.1e} to {high:.1e})"


def table(races: Sequence[dict], problem: str) -> str:
    """One row per contestant, on the problems that all of them have done."""
    own = [race for race in races if race["problem"] == problem]
    names = list(dict.fromkeys(race["contestant"] for race in own))
    seeds = set.intersection(*({race["seed"] for race in own if race["contestant"] == name} for name in names))
    lines = [
        f"{kind_named(problem).title}; {len(seeds)} problems",
        "",
        "| method | relative residual, median (quartiles) | smallest | exact fits | fits per problem | processor s |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        chosen = [race for race in own if race["contestant"] == name and race["seed"] in seeds]
        residuals = [race["residual"] for race in chosen]
        fits = [race["fits"] for race in chosen]
        count = "" if None in fits else f"{np.mean(fits):.0f}"
        exact = sum(residual <= EXACT_RESIDUAL for residual in residuals)
        seconds = np.mean([race["processor_seconds"] for race in chosen])
        lines.append(f"| {name} | {quartiles(residuals)} | {min(residuals):.1e} | {exact} | {count} | {seconds:.1f} |")
    return "\n".join(lines) + "\n"
