"""The picture docs/warm_start.svg."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

from warm_start.summary import Cell

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

TITLES = {"adam": "Adam", "l-bfgs": "L-BFGS"}
STARTS = {
    "kaiming": ("Kaiming", "black", "o"),
    "relaxation 10": ("relaxation, 10 iterations", "#74b9e0", "s"),
    "relaxation 100": ("relaxation, 100", "#2171b5", "s"),
    "relaxation 1000": ("relaxation, 1000", "#08306b", "s"),
    "gated": ("gated convex program", "#e6550d", "D"),
}
LIMITS = {True: (1e-3, 1e3), False: (0.8, 1.4)}  # of ratios, A to F and data sets; those beyond are drawn there


def draw(cells: Mapping[tuple[str, str, str], Cell], path: Path) -> None:
    # Fixed identifiers and no date, so that equal results are equal files; text stays text.
    with plt.rc_context({"svg.hashsalt": "warm_start", "svg.fonttype": "none", "font.size": 11}):
        figure = picture(cells)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def picture(cells: Mapping[tuple[str, str, str], Cell]) -> plt.Figure:
    """Final level over that from Kaiming's start, for A to F and for the data sets; share of seeds with success."""
    tasks = list(dict.fromkeys(task for task, _, _ in cells))
    exact = [task for task in tasks if cells[task, "kaiming", "adam"].share]
    others = [task for task in tasks if task not in exact]
    figure, axes = plt.subplots(
        3, 2, figsize=(10, 13.5), sharey="row", layout="constrained",
        gridspec_kw={"height_ratios": [len(exact) + 0.5, len(others) + 0.5, len(exact)]},
    )  # fmt: skip
    for column, optimizer in enumerate(TITLES):
        ratios(axes[0, column], cells, exact, optimizer)
        ratios(axes[1, column], cells, others, optimizer)
        shares(axes[2, column], cells, exact, optimizer)
        axes[0, column].set_title(TITLES[optimizer])
    entries = [
        plt.Line2D([], [], color=color, marker=marker, linestyle="none", label=label)
        for label, color, marker in STARTS.values()
    ]
    figure.legend(handles=entries, loc="outside upper center", ncols=3, frameon=False)
    return figure


def ratios(axes: plt.Axes, cells: Mapping, tasks: list[str], optimizer: str) -> None:
    exact = cells[tasks[0], "kaiming", optimizer].share is not None
    low, high = LIMITS[exact]
    if exact:
        axes.set_xscale("log")
    axes.set_xlim(low * 0.7 if exact else low - 0.02, high / 0.7 if exact else high + 0.02)
    axes.axvline(1, color="black", linewidth=0.8)
    points(axes, cells, tasks, optimizer, lambda cell: cell.ratio, (low, high), ["kaiming"])
    level = "residual" if exact else "objective"
    axes.set_xlabel(f"final {level} over Kaiming's, same seed and time\n(left of 1: this start ends lower)")


def shares(axes: plt.Axes, cells: Mapping, tasks: list[str], optimizer: str) -> None:
    axes.set_xlim(-0.03, 1.03)
    points(axes, cells, tasks, optimizer, lambda cell: cell.share, (0, 1), [])
    axes.set_xlabel("share of seeds fitted exactly within the time")


def points(axes: plt.Axes, cells: Mapping, tasks: list[str], optimizer: str, of, limits, without: list[str]) -> None:
    """Estimates with their intervals; one row per task, in it one line per start."""
    for row, task in enumerate(tasks):
        if row % 2:
            axes.axhspan(row - 0.5, row + 0.5, color="#f4f4f4", linewidth=0)
        for line, (start, (_, color, marker)) in enumerate(STARTS.items()):
            if start in without or (task, start, optimizer) not in cells:
                continue
            estimate = of(cells[task, start, optimizer])
            low, value, high = (
                min(max(number, limits[0]), limits[1]) for number in (estimate.low, estimate.value, estimate.high)
            )
            height = row + 0.16 * (line - 2)
            axes.plot([low, high], [height, height], color=color, linewidth=1.5)
            axes.plot(value, height, color=color, marker=marker, markersize=5)
    axes.set_yticks(range(len(tasks)), tasks)
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
