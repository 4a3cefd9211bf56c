"""Tables in Markdown, and the same figures in JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teachers.contest import Contestant, Race
from teachers.estimates import Interval, ratio_to_best, success_share, time_to_success
from teachers.problems import Kind

COLUMNS = [
    "method", "problems solved", "starts solved", "success per start", "processor s per start", "wall s per start",
    "processor s to a success", "wall s to a success",
]  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A contestant on all problems of a kind. Seconds are sums; None where nobody measures them."""

    name: str
    races: Sequence[Race]
    processor_seconds: float | None
    wall_seconds: float

    @property
    def starts(self) -> int:
        return sum(race.starts for race in self.races)

    @property
    def solved(self) -> int:
        return sum(race.solved for race in self.races)

    @property
    def share(self) -> Interval:
        return success_share(self.solved, self.starts)

    def expected(self, seconds: float | None) -> Interval | None:
        return None if seconds is None else time_to_success(self.share, seconds / self.starts)

    @property
    def expected_processor(self) -> Interval | None:
        return self.expected(self.processor_seconds)

    @property
    def expected_wall(self) -> Interval:
        return time_to_success(self.share, self.wall_seconds / self.starts)


def rows_of(contestant: Contestant, races: Sequence[Race]) -> list[Row]:
    """One row; for a contestant that reports the time of its training, that row as well, before the whole process."""
    processor, wall = sum(race.processor_seconds for race in races), sum(race.wall_seconds for race in races)
    if races[0].training_seconds is None:
        return [Row(contestant.name, races, processor, wall)]
    training = sum(race.training_seconds for race in races)
    return [
        Row(f"{contestant.name}, training alone", races, None, training),
        Row(f"{contestant.name}, whole process", races, processor, wall),
    ]


def number(value: float) -> str:
    """Two significant digits, without exponents for the sizes that occur."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    rounded = float(f"{value:.2g}")
    digits = max(0, 1 - math.floor(math.log10(abs(rounded))))
    return f"{value:.{digits}f}"


def interval(value: Interval | None) -> str:
    if value is None:
        return "-"
    if value.value is None:
        return f"> {number(value.low)}"
    return f"{number(value.value)} ({number(value.low)} to {number(value.high)})"


def percentages(share: Interval) -> str:
    return f"{100 * share.value:.3g}% ({100 * share.low:.2g} to {100 * share.high:.3g})"


def table_row(row: Row) -> str:
    processor = "-" if row.processor_seconds is None else number(row.processor_seconds / row.starts)
    solved = sum(race.solved > 0 for race in row.races)
    cells = [
        row.name, f"{solved}/{len(row.races)}", f"{row.solved}/{row.starts}", percentages(row.share), processor,
        number(row.wall_seconds / row.starts), interval(row.expected_processor), interval(row.expected_wall),
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
        rows = {entry.name: rows_of(entry, self.races[entry.name]) for entry in contestants if entry.name in self.races}
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
        processor = ratio_to_best([peer.expected_processor for peer in peers], process.expected_processor)
        wall = ratio_to_best([peer.expected_wall for peer in peers], training.expected_wall)
        return [
            f"* Best peer over {own.name}, expected time to a success: {interval(processor)} in processor time with "
            f"{own.name}'s whole process, {interval(wall)} in wall-clock time with its training alone."
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
