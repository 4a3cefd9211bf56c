"""Running the program, and what is compared with its results: plain NumPy, independent of the library."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TIMEOUT = 120.0


@dataclass(frozen=True)
class Program:
    path: Path
    folder: Path

    def run(self, *arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.path), *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def __call__(self, *arguments: object) -> str:
        """Standard output of a run that is to succeed and to have nothing to complain about."""
        completed = self.run(*arguments)
        assert completed.returncode == 0, completed.stderr
        assert completed.stderr == ""
        return completed.stdout

    def json(self, *arguments: object) -> dict[str, Any]:
        return json.loads(self(*arguments, "--json"))


def write_csv(path: Path, columns: list[str], values: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[repr(float(value)) for value in row] for row in values])


def read_csv(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    values = np.array(rows, dtype=float).reshape(len(rows), len(header))
    return {name: values[:, column] for column, name in enumerate(header)}


def load_model(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def activated(model: dict[str, Any], z: np.ndarray) -> np.ndarray:
    """Values of hidden units for their arguments, as docs/command-line.md defines them."""
    parameter = model.get("activation_parameter")
    return {
        "relu": lambda: np.maximum(0.0, z),
        "leaky-relu": lambda: np.where(z < 0, parameter * z, z),
        "absolute": lambda: np.abs(z),
        "clipped-relu": lambda: np.clip(z, 0, parameter),
        "hard-tanh": lambda: np.clip(z, -1, 1),
        "maxout": lambda: np.maximum(*np.split(z, 2, axis=1)),
    }[model.get("activation", "relu")]()


def forward(model: dict[str, Any], table: dict[str, np.ndarray]) -> np.ndarray:
    """Outputs, samples x targets, as docs/command-line.md defines them."""
    values = np.column_stack([table[name] for name in model["input_names"]])
    values = (values - np.array(model["input_scaling"]["offset"])) / np.array(model["input_scaling"]["scale"])
    scaled = values
    for index, layer in enumerate(model["layers"]):
        values = np.hstack([values, scaled]) if index and model.get("skip_connections") else values
        values = values @ np.array(layer["weights"]).T + np.array(layer["bias"])
        if index + 1 < len(model["layers"]):
            values = activated(model, values)
        elif model["output_activation"] == "relu":
            values = np.maximum(0.0, values)
    return np.array(model["target_scaling"]["offset"]) + np.array(model["target_scaling"]["scale"]) * values


def measures(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """The measures that `evaluate --json` prints under "all"."""
    errors = predictions - targets
    return {
        "relative_residual": float(np.linalg.norm(errors) / np.linalg.norm(targets)),
        "mse": float(np.mean(errors**2)),
        "r2": float(1 - np.sum(errors**2) / np.sum((targets - targets.mean(axis=0)) ** 2)),
        "largest_error": float(np.max(np.abs(errors))),
    }


def without_times(model: dict[str, Any]) -> dict[str, Any]:
    return {**model, "training": {key: value for key, value in model["training"].items() if key != "seconds"}}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder: what a refused command must leave as it is."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
