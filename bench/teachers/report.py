"""Tables in Markdown, and the same figures in JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teachers.contest import Contestant, Race
from teachers.estimates import Interval, ratio_to_best, success_share, time_to_success
from teachers.problems import Kind

COLUMNS = [
    "method", "problems solved", "starts solved", "success per start", "processor s per start", "wall s per start",
    "processor s to a success", "the same, median problem", "wall s to a success",
]  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A contestant on all problems of a kind: solved and made starts and their seconds in all, by problem."""

    name: str
    solved: Sequence[int]
    starts: Sequence[int]
    processor_seconds: Sequence[float]
    wall_seconds: Sequence[float]

    @property
    def share(self) -> Interval:
        return success_share(self.solved, self.starts)

    def per_start(self, seconds: Sequence[float]) -> float:
        """Every problem with the same weight, as in the share."""
        return sum(total / made for total, made in zip(seconds, self.starts, strict=True)) / len(self.starts)

    @property
    def expected_processor(self) -> Interval:
        return time_to_success(self.share, self.per_start(self.processor_seconds))

    @property
    def median_problem(self) -> float:
        """Processor seconds per success, median over problems; infinite where none was solved."""
        pairs = zip(self.processor_seconds, self.solved, strict=True)
        return statistics.median(seconds / good if good else math.inf for seconds, good in pairs)

    @property
    def expected_wall(self) -> Interval:
        return time_to_success(self.share, self.per_start(self.wall_seconds))


def rows_of(name: str, races: Sequence[Race]) -> list[Row]:
    """One row; where training and process are told apart, one for each."""
    solved, starts = [race.solved for race in races], [race.starts for race in races]
    processor, wall = [race.processor_seconds for race in races], [race.wall_seconds for race in races]
    if races[0].training_seconds is None:
        return [Row(name, solved, starts, processor, wall)]
    training = [race.processor_seconds - race.startup_processor_seconds for race in races]
    return [
        Row(f"{name}, training alone", solved, starts, training, [race.training_seconds for race in races]),
        Row(f"{name}, whole process", solved, starts, processor, wall),
    ]


def number(value: float) -> str:
    """Two significant digits, without exponents for the sizes that occur."""
    if math.isinf(value):
        return "none"
    if value == 0:
        return "0"
    rounded = float(f"{value:.2g}")
    digits = max(0, 1 - math.floor(math.log10(abs(rounded))))
    return f"{value:.{digits}f}"


def interval(value: Interval | None) -> str:
    if value is None:
        return "none"
    if value.value is None:
        return f"> {number(value.low)}"
    return f"{number(value.value)} ({number(value.low)} to {number(value.high)})"


def percentages(share: Interval) -> str:
    return f"{100 * share.value:.3g}% ({100 * share.low:.3g} to {100 * share.high:.3g})"


def table_row(row: Row) -> str:
    cells = [
        row.name, f"{sum(good > 0 for good in row.solved)}/{len(row.solved)}", f"{sum(row.solved)}/{sum(row.starts)}",
        percentages(row.share), number(row.per_start(row.processor_seconds)), number(row.per_start(row.wall_seconds)),
        interval(row.expected_processor), number(row.median_problem), interval(row.expected_wall),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


@dataclass
class Section:
    """One table: a kind of problem, with or without the problems that have a dead output."""

    kind: Kind
    dead: bool
    races: dict[str, list[Race]]  # by contestant, in order
    refusals: dict[str, str]

    def markdown(self, contestants: Sequence[Contestant]) -> str:
        rows = {
            entry.name: rows_of(entry.name, self.races[entry.name]) for entry in contestants if entry.name in self.races
        }
        title = self.kind.title + (", with an output that is zero at every sample" if self.dead else "")
        lines = [f"## {title}", "", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        lines += [table_row(row) for group in rows.values() for row in group]
        lines += ["", *(f"* {name}: not run, {reason}." for name, reason in self.refusals.items())]
        for entry in contestants:
            if entry.name in rows and not entry.exact_width:
                widest = max(race.largest_width for race in self.races[entry.name])
                lines.append(f"* {entry.name}: up to {widest} hidden units in place of {self.kind.widths[1]}.")
        return "\n".join([*lines, *self.ratios(contestants, rows)]) + "\n"

    def ratios(self, contestants: Sequence[Contestant], rows: dict[str, list[Row]]) -> list[str]:
        """The first contestant against the best of the others that have the width asked for."""
        own, *others = contestants
        if own.name not in rows:
            return []
        training, process = rows[own.name]
        peers = [rows[entry.name][0] for entry in others if entry.name in rows and entry.exact_width]
        times = [peer.expected_processor for peer in peers]
        alone, whole = (interval(ratio_to_best(times, row.expected_processor)) for row in (training, process))
        return [
            f"* Best peer over {own.name}, expected processor time to a success: {alone} with its training alone, "
            f"{whole} with its whole process."
        ]


def write(folder: Path, heading: str, facts: dict, sections: Sequence[Section], contestants: Sequence[Contestant]):
    """`teachers.md` and `teachers.json` in `folder`."""
    text = [heading, *(section.markdown(contestants) for section in sections)]
    (folder / "teachers.md").write_text("\n".join(text))
    record = [
        {
            "problem": section.kind.name,
            "dead_output": section.dead,
            "refusals": section.refusals,
            "races": {name: [dataclasses.asdict(race) for race in races] for name, races in section.races.items()},
        }
        for section in sections
    ]
    (folder / "teachers.json").write_text(json.dumps({**facts, "sections": record}, indent=1) + "\n")
