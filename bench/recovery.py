"""Teachers as in Expand-and-Cluster, students of the teacher's own width: relufit and its peers.

    python bench/recovery.py --seeds 3 --seconds 5 --out bench/results/recovery.json

Martinelli et al. (Expand-and-Cluster, ICML 2024) recover a network by training wider ones and clustering their units,
since training at the teacher's own width "is practically impossible". Their 150 synthetic teachers have one hidden layer
of 2, 4 or 8 units, 2 to 32 inputs and one output. Here are such teachers with ReLUs, drawn anew: weights of every unit
from {-1, 0, 1} (none all 0, no two the same up to sign) over their norm, biases from {-2/3, -1/3, 0, 1/3, 2/3}, output
weights -1 or 1, no output bias; inputs standard normal.

Every contestant makes starts on one core until one succeeds or the processor time is over, and is judged on inputs it
has not seen, too: the relative residual on the training samples must be at most 1e-9 for relufit (`train --loss exact`,
defaults, the whole process) and 1e-4 for peers, which end there, and that on 4000 fresh inputs at most ten times as much.
A table (.md) goes beside --out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from teachers import machine, peers, relufit_runs  # noqa: E402
from teachers.contest import Attempt, Contestant  # noqa: E402
from teachers.problems import PEER_RESIDUAL, Kind, Network, Problem  # noqa: E402

INPUTS = (2, 4, 8, 16, 32)
UNITS = (2, 4, 8)
FRESH_INPUTS = 4000
FRESH_FACTOR = 10  # residual on fresh inputs over that asked for on the training samples
BIASES = np.array([-2, -1, 0, 1, 2]) / 3

# The fastest settings of bench/teachers.
LEVENBERG_MARQUARDT = Contestant("Levenberg-Marquardt, Cholesky", peers.runner(peers.cholesky(5, 0.2)))
QUASI_NEWTON = Contestant("L-BFGS-B, SciPy", peers.runner(peers.quasi_newton))


@dataclass(frozen=True)
class Recovery(Problem):
    """Judged on fresh inputs, which every kind of teachers.problems but F has not."""

    def solved_by(self, network: Network, residual: float = PEER_RESIDUAL) -> bool:
        errors = network(self.fresh_inputs, False) - self.fresh_targets
        fresh = np.linalg.norm(errors) / np.linalg.norm(self.fresh_targets)
        return bool(self.residual(network) <= residual and fresh <= FRESH_FACTOR * residual)


def directions(rng: np.random.Generator, inputs: int, units: int) -> np.ndarray:
    """Rows of -1, 0 and 1, none zero, all different up to sign."""
    rows: list[tuple[int, ...]] = []
    while len(rows) < units:
        row = tuple(rng.integers(-1, 2, inputs))
        if any(row) and row not in rows and tuple(-x for x in row) not in rows:
            rows.append(row)
    return np.array(rows, float)


def hidden(rng: np.random.Generator, inputs: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases. Two inputs have four such directions: 8 units are two to each, with different biases."""
    if inputs == 2 and units == 8:
        w1 = np.repeat(directions(rng, 2, 4), 2, axis=0)
        b1 = np.concatenate([rng.choice(BIASES, 2, replace=False) for _ in range(4)])
    else:
        w1, b1 = directions(rng, inputs, units), rng.choice(BIASES, units)
    return w1 / np.linalg.norm(w1, axis=1)[:, None], b1


def draw(inputs: int, units: int, seed: int) -> Recovery:
    rng = np.random.default_rng([seed, inputs, units])
    w1, b1 = hidden(rng, inputs, units)
    teacher = Network(w1, b1, rng.choice([-1.0, 1.0], (1, units)), np.zeros(1))
    samples = max(500, 20 * units * (inputs + 2))
    kind = Kind(f"{inputs}-{units}-1", (inputs, units, 1), samples, False, 5)
    seen, fresh = rng.standard_normal((inputs, samples)), rng.standard_normal((inputs, FRESH_INPUTS))
    return Recovery(kind, seed, seen, teacher(seen, False), 0, fresh, teacher(fresh, False))


def race(entry: Contestant, problem: Recovery, limit: float) -> dict:
    """Starts until one succeeds or `limit` processor seconds are used, as a line of the results."""
    attempts: list[Attempt] = []
    solved, used = False, 0.0
    while not solved and used < limit:
        attempts += entry.run(problem, range(len(attempts), len(attempts) + 1), limit - used)
        used = sum(attempt.processor_seconds for attempt in attempts)
        solved = problem.solved_by(attempts[-1].network, entry.residual)
    return {
        "teacher": problem.kind.name,
        "seed": problem.seed,
        "contestant": entry.name,
        "solved": solved,
        "starts": len(attempts),
        "processor_seconds": round(used, 3),
        "residual": min(problem.residual(attempt.network) for attempt in attempts),
    }


def table(races: list[dict]) -> str:
    """Recovered teachers by their units, and times."""
    lines = [
        "| method | " + " | ".join(f"{units} units" for units in UNITS) + " | all | processor s, median (largest) | starts |",
        "|---" * (len(UNITS) + 4) + "|",
    ]
    for name in dict.fromkeys(race["contestant"] for race in races):
        own = [race for race in races if race["contestant"] == name]
        cells = []
        for units in UNITS:
            group = [race["solved"] for race in own if race["teacher"].split("-")[1] == str(units)]
            cells.append(f"{sum(group)} of {len(group)}")
        seconds = [race["processor_seconds"] for race in own]
        cells.append(f"{sum(race['solved'] for race in own)} of {len(own)}")
        cells.append(f"{np.median(seconds):.2g} ({max(seconds):.2g})")
        cells.append(f"{np.mean([race['starts'] for race in own]):.1f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="teachers of each size, default %(default)s")
    parser.add_argument("--first-seed", type=int, default=1, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=5, help="processor time of a race, default %(default)s")
    parser.add_argument("--without-adam", action="store_true", help="needs no PyTorch")
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/relufit", help="the program relufit")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/recovery.json", help="default: %(default)s")
    parsed = parser.parse_args()
    if parsed.seeds < 1:
        parser.error(f"--seeds: {parsed.seeds}, expected at least 1")
    if not parsed.seconds > 0:
        parser.error(f"--seconds: {parsed.seconds:g}, expected a positive number")
    return parsed


def main() -> None:
    options = arguments()
    contestants = [relufit_runs.contestant(options.program), LEVENBERG_MARQUARDT, QUASI_NEWTON]
    if not options.without_adam:
        import torch
        from teachers import torch_peers

        torch.set_num_threads(1)
        contestants.append(Contestant("Adam, PyTorch, best of 3 rates", torch_peers.adam))
    races = []
    for inputs, units in itertools.product(INPUTS, UNITS):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            problem = draw(inputs, units, seed)
            for entry in contestants:
                races.append(race(entry, problem, options.seconds))
                print(races[-1], file=sys.stderr, flush=True)
    facts = machine.description(options.program) | {"date": date.today().isoformat(), "seconds": options.seconds}
    lines = ",\n  ".join(json.dumps(race) for race in races)
    options.out.write_text(json.dumps(facts, indent=1)[:-2] + f',\n "races": [\n  {lines}\n ]\n}}\n')
    text = table(races)
    options.out.with_suffix(".md").write_text(f"# Recovery of teachers of the student's width\n\n{text}")
    print(text)


if __name__ == "__main__":
    main()
