"""Tables in Markdown and the figure, from the results alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from warm_start.figure import draw
from warm_start.starts import STARTS
from warm_start.summary import Cell, Interval, load, table

NAMES = {"adam": "Adam", "l-bfgs": "L-BFGS"}
Table = Mapping[tuple[str, str, str], Cell]


def write(results: Path, pilot: Path, tables: Path, figure: Path) -> None:
    chosen = json.loads(pilot.read_text())
    cells = table(load(results), chosen)
    parts = [
        "# Convex starts: all figures",
        "Written by `python experiments/warm_start report`; [README.md](README.md) says what is what.",
        "## Starts",
        starts_table(cells),
    ]
    for optimizer, name in NAMES.items():
        parts += [f"## {name}: level reached", levels_table(cells, optimizer)]
        parts += [f"## {name}: time to a level", times_table(cells, optimizer, chosen)]
    parts += ["## Held-out loss", held_out_table(cells), "## Chosen on the pilot seeds", pilot_table(chosen)]
    tables.write_text("\n\n".join(parts) + "\n")
    draw(cells, figure)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows])


def number(value: float) -> str:
    if math.isinf(value):
        return "-"
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.1e}"
    return f"{value:.3g}"


def interval(value: Interval) -> str:
    return f"{number(value.value)} [{number(value.low)}, {number(value.high)}]"


def starts_table(cells: Table) -> str:
    rows = [
        [task, start, number(cell.start_seconds), number(cell.start_level), f"{cell.start_dead_units:.2g}"]
        for (task, start, optimizer), cell in cells.items()
        if optimizer == "adam"
    ]
    return markdown(["task", "start", "processor s, median", "level, median", "dead units, mean"], rows)


def levels_table(cells: Table, optimizer: str) -> str:
    header = [
        "task", "start", "seeds", "final level, median", "solved", "share", "over Kaiming's, median", "better", "worse",
        "p", "descents, median", "level after the first",
    ]  # fmt: skip
    rows = []
    for (task, start, used), cell in cells.items():
        if used != optimizer:
            continue
        row = [task, start, str(cell.seeds), interval(cell.level)]
        row += ["", ""] if cell.share is None else [str(cell.solved), interval(cell.share)]
        if start == "kaiming":
            row += [""] * 4
        else:
            row += [interval(cell.ratio), str(cell.better), str(cell.worse), f"{cell.p:.2g}"]
        rows.append([*row, number(cell.descents), number(cell.first_level)])
    return markdown(header, rows)


def times_table(cells: Table, optimizer: str, chosen: Mapping) -> str:
    rows = [
        [
            task, start, number(chosen[task]["thresholds"][optimizer]), f"{cell.reached} of {cell.seeds}",
            number(cell.reached_seconds), *(["", ""] if start == "kaiming" else [str(cell.sooner), str(cell.later)]),
        ]
        for (task, start, used), cell in cells.items()
        if used == optimizer
    ]  # fmt: skip
    return markdown(["task", "start", "level", "reached", "processor s, median", "sooner", "later"], rows)


def held_out_table(cells: Table) -> str:
    tasks = dict.fromkeys(task for (task, _, _), cell in cells.items() if cell.held_out)
    starts = dict.fromkeys(start for _, start, _ in cells)
    rows = [
        [task, start, *(interval(cells[task, start, optimizer].held_out) for optimizer in NAMES)]
        for task in tasks
        for start in starts
        if (task, start, "adam") in cells
    ]
    return markdown(["task", "start", *NAMES.values()], rows)


def pilot_table(chosen: Mapping) -> str:
    rows = []
    for task, settings in chosen.items():
        rates = ", ".join(f"{start} {settings['rates'][start]}" for start in STARTS if start in settings["rates"])
        variants, levels = ([str(settings[key][name]) for name in NAMES] for key in ("variants", "thresholds"))
        rows.append([task, rates, *variants, *levels])
    header = ["task", "rates of Adam", "Kaiming's rule, Adam", "the same, L-BFGS", "level, Adam", "the same, L-BFGS"]
    return markdown(header, rows)
