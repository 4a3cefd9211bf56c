"""relufit as its users run it: the program on a CSV file, one start, default settings."""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from teachers.contest import Attempt, Contestant
from teachers.problems import EXACT_RESIDUAL, Network, Problem


def write_problem(path: Path, problem: Problem) -> list[str]:
    """Columns u0.., y0..; returns the names of the targets."""
    targets = [f"y{i}" for i in range(len(problem.targets))]
    header = ",".join([f"u{i}" for i in range(len(problem.inputs))] + targets)
    np.savetxt(path, np.vstack([problem.inputs, problem.targets]).T, "%.17g", ",", header=header, comments="")
    return targets


def read_network(path: Path) -> Network:
    """The network on raw data: the scalings of the model file (docs/command-line.md) folded into its layers."""
    model = json.loads(path.read_text())
    (w1, b1), (w2, b2) = ((np.array(layer["weights"]), np.array(layer["bias"])) for layer in model["layers"])
    offset, scale = (np.array(model["input_scaling"][name]) for name in ("offset", "scale"))
    target_offset, target_scale = (np.array(model["target_scaling"][name]) for name in ("offset", "scale"))
    w1 = w1 / scale
    return Network(w1, b1 - w1 @ offset, target_scale[:, None] * w2, target_offset + target_scale * b2)


def run_program(command: Sequence[str | Path]) -> tuple[float, str]:
    """Processor seconds and standard output. Raises RuntimeError with its message where it fails."""
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {result.stderr.strip()}")
    return end.ru_utime - begin.ru_utime + end.ru_stime - begin.ru_stime, result.stdout


def contestant(program: Path, options: Sequence[str] = ()) -> Contestant:
    def run(problem: Problem, starts: Sequence[int], limit: float) -> list[Attempt]:
        (start,) = starts
        with tempfile.TemporaryDirectory() as name:
            data, model = Path(name, "data.csv"), Path(name, "model.json")
            targets = write_problem(data, problem)
            command = [program, "train", data, "--targets", ",".join(targets), "--loss", "exact", "--seed", str(start)]
            command += ["--hidden", str(problem.widths[1]), "--time-limit", str(limit), "--model", model, "--json"]
            if problem.kind.relu_output:
                command += ["--output-activation", "relu"]
            if problem.kind.fixed_output:
                command += ["--no-bias", "--fixed-output", "ones"]
            command += options
            wall = time.perf_counter()
            processor, output = run_program(command)
            wall = time.perf_counter() - wall
            # Reads the same data and the model, and trains nothing.
            startup, _ = run_program([program, "evaluate", model, data, "--json"])
            return [Attempt(read_network(model), processor, wall, json.loads(output)["seconds"], startup)]

    return Contestant("relufit", run, residual=EXACT_RESIDUAL)
