"""Processes of a program, for what kills them (scripts/kills.py, tests/cli/test_cli_mpi.py)."""

from __future__ import annotations

from pathlib import Path


def processes_in(folder: Path, program: Path) -> list[int]:
    """Ids, ascending, of those that run the program in this folder, but for those that wait for one of these."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "exe").resolve() == program and (path / "cwd").resolve() == folder.resolve():
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended, or is another user's
            continue
    return sorted(set(parents) - set(parents.values()))
