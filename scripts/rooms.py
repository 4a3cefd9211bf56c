"""Refuses an include that points upwards, and a room with too few or too many files.

A room is a folder of src/, and knows those below it alone (CONTRIBUTING.md).
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# From the lowest to the highest. A public header belongs to the room that has its source file.
ROOMS = (
    "linear_algebra",
    "base",
    "parallel",
    "files",
    "checkpoint",
    "network",
    "data/tables",
    "data",
    "problem",
    "constraints",
    "subproblem/copies",
    "subproblem/proximal",
    "subproblem/affine",
    "subproblem",
    "sequence",
    "polish/units",
    "polish",
    "exact_fit/one_layer",
    "exact_fit/deep",
    "exact_fit",
    "certificate/bounds",
    "certificate",
    "train/plan",
    "train/choice",
    "train",
    "export",
)
FEWEST, MOST = 3, 12  # files of a room, headers counted
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
WITHOUT_SOURCE = {"matrix": "linear_algebra", "penalties": "subproblem/copies"}


def main() -> None:
    sources = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.*")}
    room_of = {str(path): str(path.parent) for path in sources}
    by_stem = {path.stem: str(path.parent) for path in sources if path.suffix == ".cpp"}
    for header in (ROOT / "include" / "relufit").glob("*.h"):
        room_of[f"relufit/{header.name}"] = WITHOUT_SOURCE.get(header.stem) or by_stem[header.stem]
    faults = [f"src/{room}: not among the rooms of scripts/rooms.py" for room in set(room_of.values()) - set(ROOMS)]
    if faults:
        sys.exit("\n".join(faults))
    for room in ROOMS:
        files = sum(path.is_file() for path in (ROOT / "src" / room).iterdir())
        if not FEWEST <= files <= MOST:
            faults.append(f"src/{room}: {files} files, expected {FEWEST} to {MOST}")
    for name, room in sorted(room_of.items()):
        path = ROOT / ("include" if name.startswith("relufit/") else "src") / name
        for include in INCLUDE.findall(path.read_text()):
            if include in room_of and ROOMS.index(room_of[include]) > ROOMS.index(room):
                faults.append(f"{path.relative_to(ROOT)}: includes {include} of {room_of[include]}, above {room}")
            elif include not in room_of and include != "relufit/version.h":
                faults.append(f"{path.relative_to(ROOT)}: includes {include}, which no room has")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
