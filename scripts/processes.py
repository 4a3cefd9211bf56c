"""Processes of a program, for what kills them (scripts/kills.py, tests/cli/test_cli_mpi.py)."""

from __future__ import annotations

from pathlib import Path


def processes_in(folder: Path, program: Path) -> list[int]:
    """Ids, ascending, of those that run the program in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "exe").resolve() == program and (path / "cwd").resolve() == folder.resolve():
                found.append(int(path.name))
        except OSError:  # it has ended, or is another user's
            continue
    return sorted(found)
