"""Training under hard constraints: relufit against PyTorch with a projection after every step, at equal processor time.

    python bench/constraints.py [--program build/release/relufit] [--splits 5] [--out bench/results/constraints.json]

Diabetes data (10 inputs, 442 rows), standardized on the training rows, 10 hidden units, five random splits with a
quarter held out. Three tasks, each with the same set of networks and the same objective for both, the mean of
(z - y)^2 / 2 plus .003/2 times the squared weights:

    monotone   bmi, bp and s5 never lower the prediction: signs of weights, half of the hidden units up and half down
    bounds     all weights in [-.3, .3]
    lipschitz  both layers with a spectral norm of at most 1, so that the network's Lipschitz constant is at most 1

relufit: `relufit train --constraints`, the whole process: a race, four of them (`--starts 4`), and one long relaxation
(`--no-polish`). PyTorch: Adam with the rates .003, .01 and .03, four starts each side by side, rates falling to zero at
the end of the time, and after every step the weights projected onto the constraints (clamped, or singular values cut);
the best network counts. It gets the processor time that relufit took. Violations and objectives of the networks
returned are computed by NumPy.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from deep.problems import Layers, outputs  # noqa: E402
from deep.relufit_run import read_layers  # noqa: E402

HIDDEN, RIDGE = 10, 0.003
RISING = ("bmi", "bp", "s5")
BOUND, LIPSCHITZ = 0.3, 1.0
RATES, STARTS, CHECK_INTERVAL = (0.003, 0.01, 0.03), 4, 25
SETTINGS = {"a race": [], "--starts 4": ["--starts", "4"], "--no-polish": ["--no-polish"]}
TASKS = {
    "monotone": {"monotone": [{"input": name, "target": "progression", "direction": "increasing"} for name in RISING]},
    "bounds": {"weights": [{"layer": layer, "lower": -BOUND, "upper": BOUND} for layer in (1, 2)]},
    "lipschitz": {"lipschitz": LIPSCHITZ},
}


@dataclass(frozen=True)
class Split:
    """Standardized rows, one per sample."""

    names: list[str]  # of the inputs
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def read_split(seed: int) -> Split:
    with open(ROOT / "data" / "diabetes.csv", newline="") as file:
        header, *rows = csv.reader(file)
    data = np.random.default_rng(seed).permutation(np.array(rows, dtype=float))
    held_out = len(data) // 4
    test, train = data[:held_out], data[held_out:]
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    return Split(header[:-1], (train[:, :-1], train[:, -1]), (test[:, :-1], test[:, -1]))


def objective(layers: Layers, split: Split) -> float:
    inputs, targets = split.train
    errors = outputs(layers, inputs.T)[0] - targets
    return float(0.5 * np.mean(errors**2) + 0.5 * RIDGE * sum(np.sum(weights**2) for weights, _ in layers))


def held_out_r2(layers: Layers, split: Split) -> float:
    inputs, targets = split.test
    errors = outputs(layers, inputs.T)[0] - targets
    return float(1 - np.sum(errors**2) / np.sum((targets - targets.mean()) ** 2))


def violation(task: str, layers: Layers, names: list[str]) -> float:
    """0 where the constraint holds. Monotone: of every path through a hidden unit, the product of its weights."""
    (first, _), (last, _) = layers
    if task == "monotone":
        paths = last[0][:, None] * first[:, [names.index(name) for name in RISING]]
        return float(max(0.0, -paths.min()))
    if task == "bounds":
        return float(max(0.0, abs(first).max() - BOUND, abs(last).max() - BOUND))
    return float(max(0.0, np.linalg.norm(first, 2) * np.linalg.norm(last, 2) - LIPSCHITZ))


def relufit(program: Path, task: str, split: Split, seed: int, options: list[str]) -> tuple[Layers, float]:
    """The network and the processor seconds of the process."""
    with tempfile.TemporaryDirectory() as folder:
        data, model, constraints = (Path(folder, name) for name in ("data.csv", "model.json", "constraints.json"))
        header = ",".join([*split.names, "progression"])
        np.savetxt(data, np.column_stack(split.train), "%.17g", ",", header=header, comments="")
        constraints.write_text(json.dumps(TASKS[task]))
        command = [program, "train", data, "--targets", "progression", "--hidden", str(HIDDEN), "--model", model]
        command += ["--constraints", constraints, "--ridge", str(RIDGE), "--seed", str(seed), *options]
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        return read_layers(model), end.ru_utime - begin.ru_utime + end.ru_stime - begin.ru_stime


Weights = list[torch.Tensor]  # of the two layers, networks x units x sources


def projection(task: str, names: list[str]) -> Callable[[Weights], None]:
    """Puts weights on the constraints, in place: the nearest ones that satisfy them."""
    signs = torch.where(torch.arange(HIDDEN) % 2 == 0, 1.0, -1.0).double()
    rising = [names.index(name) for name in RISING]

    def monotone(weights: Weights) -> None:
        first, last = weights
        first[:, :, rising] = torch.relu(first[:, :, rising] * signs[:, None]) * signs[:, None]
        last.copy_(torch.relu(last * signs) * signs)

    def bounds(weights: Weights) -> None:
        for layer in weights:
            layer.clamp_(-BOUND, BOUND)

    def lipschitz(weights: Weights) -> None:
        for layer in weights:
            left, values, right = torch.linalg.svd(layer, full_matrices=False)
            # A little inside, so that the bound holds in spite of rounding.
            layer.copy_((left * values.clamp(max=LIPSCHITZ**0.5 * (1 - 1e-12))[:, None]) @ right)

    return {"monotone": monotone, "bounds": bounds, "lipschitz": lipschitz}[task]


def projected_adam(task: str, split: Split, seed: int, seconds: float) -> tuple[Layers, int]:
    """The best network, always on the constraints, and how many steps were made."""
    begin = time.process_time()
    inputs, targets = (torch.from_numpy(array) for array in (split.train[0].T.copy(), split.train[1]))
    generator = torch.Generator().manual_seed(seed)
    project = projection(task, split.names)

    def uniform(*shape: int, sources: int) -> torch.Tensor:  # PyTorch's default, the same starts for every rate
        bound = 1 / math.sqrt(sources)
        return ((2 * torch.rand(STARTS, *shape, generator=generator, dtype=torch.float64) - 1) * bound).repeat(
            len(RATES), *(1 for _ in shape)
        )

    count = len(split.names)
    weights = [uniform(HIDDEN, count, sources=count), uniform(1, HIDDEN, sources=HIDDEN)]
    biases = [uniform(HIDDEN, 1, sources=count), uniform(1, 1, sources=HIDDEN)]
    project(weights)
    parameters = [tensor.split(STARTS) for tensor in (*weights, *biases)]
    groups = [[part.clone().requires_grad_() for part in group] for group in zip(*parameters)]
    optimizer = torch.optim.Adam([{"params": group, "lr": rate} for group, rate in zip(groups, RATES)], fused=True)
    lowest, best = math.inf, []
    for step in itertools.count():
        optimizer.zero_grad()
        first, last, first_bias, last_bias = (torch.cat(parts) for parts in zip(*groups))
        errors = (last @ torch.relu(first @ inputs + first_bias) + last_bias)[:, 0] - targets
        ridge = first.square().sum(dim=(1, 2)) + last.square().sum(dim=(1, 2))
        losses = 0.5 * errors.square().mean(dim=1) + 0.5 * RIDGE * ridge
        if step % CHECK_INTERVAL == 0:
            number = int(losses.detach().argmin())
            if losses[number] < lowest:
                lowest = float(losses[number].detach())
                best = [tensor[number].detach().numpy().copy() for tensor in (first, last, first_bias, last_bias)]
            used = (time.process_time() - begin) / seconds
            if used >= 1:
                return [(best[0], best[2][:, 0]), (best[1], best[3][:, 0])], step
            for group, rate in zip(optimizer.param_groups, RATES):
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * used))
        losses.sum().backward()
        optimizer.step()
        with torch.no_grad():
            for group in groups:
                project(group[:2])
    raise AssertionError("unreachable")


def measure(task: str, seed: int, split: Split, layers: Layers, seconds: float) -> dict:
    return {
        "task": task,
        "split": seed,
        "processor_seconds": round(seconds, 3),
        "objective": objective(layers, split),
        "held_out_r2": held_out_r2(layers, split),
        "violation": violation(task, layers, split.names),
    }


def compete(program: Path, task: str, seed: int) -> list[dict]:
    """relufit with each of its settings, and PyTorch with the time that took."""
    split = read_split(seed)
    records = []
    for setting, options in SETTINGS.items():
        layers, seconds = relufit(program, task, split, seed, options)
        records.append({"method": "relufit", "setting": setting} | measure(task, seed, split, layers, seconds))
        layers, _ = projected_adam(task, split, seed, seconds)
        records.append({"method": "PyTorch", "setting": setting} | measure(task, seed, split, layers, seconds))
    return records


def table(records: list[dict], task: str) -> str:
    lines = [
        f"{task}",
        "",
        "| method | objective, mean | relufit's over PyTorch's (range) | held-out R2, mean | largest violation | s |",
        "|---|---|---|---|---|---|",
    ]
    for setting in SETTINGS:
        chosen = [record for record in records if (record["task"], record["setting"]) == (task, setting)]
        rows = {method: [r for r in chosen if r["method"] == method] for method in ("relufit", "PyTorch")}
        column = {m: {k: np.array([r[k] for r in own]) for k in own[0] if k != "task"} for m, own in rows.items()}
        ratios = column["relufit"]["objective"] / column["PyTorch"]["objective"]
        for method, values in column.items():
            name = f"relufit, {setting}" if method == "relufit" else "PyTorch, Adam, projected"
            ratio = f"{ratios.mean():.3f} ({ratios.min():.3f} to {ratios.max():.3f})" if method == "relufit" else ""
            lines.append(
                f"| {name} | {values['objective'].mean():.4f} | {ratio} | {values['held_out_r2'].mean():.4f} "
                f"| {values['violation'].max():.1e} | {values['processor_seconds'].mean():.2f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/relufit", help="the program relufit")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--tasks", default=",".join(TASKS), help="default: %(default)s")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "bench/results/constraints.json", help="default: %(default)s"
    )
    arguments = parser.parse_args()
    tasks = arguments.tasks.split(",")
    if arguments.splits < 1:
        parser.error(f"--splits: {arguments.splits}, expected at least 1")
    for task in tasks:
        if task not in TASKS:
            parser.error(f"--tasks: '{task}', expected {', '.join(TASKS)}")
    torch.set_num_threads(1)
    projected_adam("lipschitz", read_split(0), 0, 0.1)  # first calls, before anything is timed
    records = []
    for task in tasks:
        for seed in range(arguments.splits):
            records += compete(arguments.program, task, seed)
            lines = ",\n ".join(json.dumps(record) for record in records)
            arguments.out.write_text(f"[\n {lines}\n]\n")
        print(table(records, task), flush=True)


if __name__ == "__main__":
    main()
