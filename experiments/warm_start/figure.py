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
    "relaxation 10": ("relaxation, 10 iterations", "#9ecae1", "s"),
    "relaxation 100": ("relaxation, 100", "#3182bd", "s"),
    "relaxation 1000": ("relaxation, 1000", "#08306b", "s"),
    "gated": ("gated convex program", "#e6550d", "D"),
}
FLOOR, CEILING = 1e-3, 1e3  # ratios beyond are drawn there


def draw(cells: Mapping[tuple[str, str, str], Cell], path: Path) -> None:
    # Fixed identifiers and no date, so that equal results are equal files; text stays text.
    with plt.rc_context({"svg.hashsalt": "warm_start", "svg.fonttype": "none", "font.size": 11}):
        figure = picture(cells)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def picture(cells: Mapping[tuple[str, str, str], Cell]) -> plt.Figure:
    """Above: final level over that from Kaiming's start, by task; below: share of seeds with success, A to F."""
    tasks = list(dict.fromkeys(task for task, _, _ in cells))
    exact = [task for task in tasks if cells[task, "kaiming", "adam"].share]
    figure, axes = plt.subplots(
        2, 2, figsize=(10, 12), sharey="row", gridspec_kw={"height_ratios": [len(tasks), len(exact)]},
        layout="constrained",
    )  # fmt: skip
    for column, optimizer in enumerate(TITLES):
        ratios(axes[0, column], cells, tasks, optimizer)
        shares(axes[1, column], cells, exact, optimizer)
    entries = [
        plt.Line2D([], [], color=color, marker=marker, linestyle="none", label=label)
        for label, color, marker in STARTS.values()
    ]
    figure.legend(handles=entries, loc="outside upper center", ncols=3, frameon=False)
    return figure


def ratios(axes: plt.Axes, cells: Mapping, tasks: list[str], optimizer: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(0.7 * FLOOR, CEILING / 0.7)
    axes.axvline(1, color="black", linewidth=0.8)
    points(axes, cells, tasks, optimizer, lambda cell: cell.ratio, (FLOOR, CEILING), ["kaiming"])
    axes.set_title(TITLES[optimizer])
    axes.set_xlabel("final level over Kaiming's, same seed and time\n(left of 1: the warm start ends lower)")


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
