"""relufit as its users run it: the program on a CSV file, interrupted (Ctrl-C) when its processor time is used up."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from teachers.relufit_runs import write_problem

from deep.contest import Contestant, Outcome
from deep.problems import Layers, Problem

INTERRUPTED = 130  # exit code; the best network so far is saved
POLL_SECONDS = 0.02


def read_layers(path: Path) -> Layers:
    """The network on raw data: the scalings of the model file (docs/command-line.md) folded into its layers."""
    model = json.loads(path.read_text())
    layers = [(np.array(layer["weights"]), np.array(layer["bias"])) for layer in model["layers"]]
    offset, scale = (np.array(model["input_scaling"][name]) for name in ("offset", "scale"))
    target_offset, target_scale = (np.array(model["target_scaling"][name]) for name in ("offset", "scale"))
    weights, bias = layers[0]
    layers[0] = weights / scale, bias - weights / scale @ offset
    weights, bias = layers[-1]
    layers[-1] = target_scale[:, None] * weights, target_offset + target_scale * bias
    return layers


def processor_seconds(process: int) -> float:
    """User and system time of a running process, to 1/100 s."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_within(command: list[str], limit: float) -> tuple[float, str]:
    """Runs the program and interrupts it after `limit` processor seconds; returns those used, and its standard output.
    Raises RuntimeError with its message where it fails."""
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    interrupted = False
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
            break
        if not interrupted and processor_seconds(process.pid) >= limit:
            process.send_signal(signal.SIGINT)
            interrupted = True
    output, messages = process.communicate()  # a few lines, which the pipes hold
    if process.returncode not in (0, INTERRUPTED):
        raise RuntimeError(f"{' '.join(command)}: {messages.strip()}")
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime - begin.ru_utime + end.ru_stime - begin.ru_stime, output


def contestant(program: Path, options: list[str], name: str = "relufit") -> Contestant:
    def run(problem: Problem, limit: float) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            data, model = Path(folder, "data.csv"), Path(folder, "model.json")
            targets = write_problem(data, problem)
            hidden = ",".join(map(str, problem.kind.widths[1:-1]))
            command = [str(program), "train", str(data), "--targets", ",".join(targets), "--hidden", hidden]
            command += ["--loss", "exact", "--seed", str(problem.seed), "--model", str(model), *options]
            used, output = run_within([*command, "--json"], limit)
            summary = json.loads(output)
            fits = summary["iterations"] if summary["strategy"] == "search" else None
            return Outcome(read_layers(model), fits, used)

    return Contestant(name, run)
