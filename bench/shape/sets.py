"""The monotone tasks: data that papers on monotone networks use, all rows of their two parts together.

A folder has train_NAME.csv and test_NAME.csv for NAME auto, heart and compas: no header, the target last, inputs scaled,
as in the repository of the experiments of Sartor et al. (2025), whose parts are those of Sivaraman et al. (2020) and Liu
et al. (2020). AutoMPG, which is in the package ISLP of PyPI as well (pip install --no-deps ISLP), needs no folder.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

FOLDER = Path(__file__).resolve().parents[2] / "build" / "monotone"
AUTO = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin"]


@dataclass(frozen=True)
class Task:
    """Inputs (samples, inputs), targets (samples,): numbers, or classes 0 and 1; directions 1, -1 or 0 per input."""

    name: str
    inputs: np.ndarray
    targets: np.ndarray
    directions: tuple[int, ...]
    classes: bool


# File, title, columns with a direction, whether targets are classes.
FILES = {
    "auto": ("AutoMPG", {1: -1, 2: -1, 3: -1}, False),  # displacement, horsepower, weight
    "heart": ("Heart", {3: 1, 4: 1}, True),  # resting blood pressure, cholesterol
    "compas": ("COMPAS", {0: 1, 1: 1, 2: 1, 3: 1}, True),  # counts of earlier offences
}


def _of_package() -> np.ndarray | None:
    """AutoMPG with standardized inputs, from ISLP where it is installed."""
    try:
        folder = Path(str(importlib.metadata.distribution("ISLP").locate_file("ISLP/data")))
    except importlib.metadata.PackageNotFoundError:
        return None
    table = pandas.read_csv(folder / "Auto.csv", na_values="?").dropna(subset=["horsepower"])
    inputs = table[AUTO].to_numpy(float)
    return np.column_stack([(inputs - inputs.mean(axis=0)) / inputs.std(axis=0), table["mpg"].to_numpy(float)])


def _of_folder(folder: Path, name: str) -> np.ndarray | None:
    parts = [folder / f"{part}_{name}.csv" for part in ("train", "test")]
    if not all(part.is_file() for part in parts):
        return None
    return np.vstack([np.loadtxt(part, delimiter=",") for part in parts])


def tasks(folder: Path) -> list[Task]:
    """Those whose data are there."""
    found = []
    for name, (title, directions, classes) in FILES.items():
        rows = _of_folder(folder, name)
        if rows is None and name == "auto":
            rows = _of_package()
        if rows is None:
            continue
        inputs, targets = rows[:, :-1], rows[:, -1]
        wanted = tuple(directions.get(column, 0) for column in range(inputs.shape[1]))
        found.append(Task(title, inputs, targets.astype(int) if classes else targets, wanted, classes))
    return found
