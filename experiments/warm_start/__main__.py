"""Does a convex start help gradient descent? The runs, and what follows from them.

    python experiments/warm_start pilot     # choices on seeds of their own: pilot.json
    python experiments/warm_start run       # results.jsonl.gz; lines that it has already are not run again
    python experiments/warm_start report    # tables.md and docs/warm_start.svg, from results.jsonl.gz alone

One thread, processor time. `run` appends to results.jsonl and may be interrupted; at the end it is compressed.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import os
import sys
import time
from pathlib import Path

# Before NumPy and PyTorch are loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / "experiments"), str(ROOT / "bench")]  # in place of this folder, the package `warm_start`

HERE = Path(__file__).parent
PILOT, LINES, RESULTS = HERE / "pilot.json", HERE / "results.jsonl", HERE / "results.jsonl.gz"
PILOT_SEEDS = range(100, 103)
SEEDS = 20
FEWER = {"breast_cancer": 10, "digits": 5}  # seeds of tasks that take too long


def warm_up() -> None:
    """What is loaded or compiled at first use is charged to no arm."""
    from warm_start.descents import RATES, adam, quasi_newton
    from warm_start.starts import STARTS, make_start, refusal
    from warm_start.tasks import make_task

    for name in ("C", "F6", "iris"):
        task = make_task(name, 99)
        for kind in STARTS:
            if not refusal(task, kind):
                start = make_start(task, kind, 0)
        adam(task, [start], RATES[:1])
        quasi_newton(task, start, lambda number, task=task: make_start(task, "kaiming", number))


def pilot() -> None:
    from warm_start import pilot
    from warm_start.tasks import BUDGETS

    warm_up()
    chosen = json.loads(PILOT.read_text()) if PILOT.exists() else {}
    for name in BUDGETS:
        known = chosen.get(name, {"rates": {}})["rates"]
        if "kaiming" not in known:
            begin = time.process_time()
            seeds = PILOT_SEEDS[:2] if name in FEWER else PILOT_SEEDS
            chosen[name] = dataclasses.asdict(pilot.choose(name, seeds, known))
            PILOT.write_text(json.dumps(chosen, indent=2) + "\n")
            print(name, f"{time.process_time() - begin:.0f} s", chosen[name], flush=True)


def run(tasks: list[str], seeds: int) -> None:
    from warm_start.arms import OPTIMIZERS, Settings, run_arm
    from warm_start.starts import STARTS, make_start, refusal
    from warm_start.tasks import make_task

    warm_up()
    settings = {name: Settings(**chosen) for name, chosen in json.loads(PILOT.read_text()).items()}
    done = {(row["task"], row["seed"], row["start"], row["optimizer"]) for row in read_lines()}
    for seed, name in ((seed, name) for seed in range(seeds) for name in tasks if seed < FEWER.get(name, SEEDS)):
        task = make_task(name, seed)
        for kind in STARTS:
            missing = [item for item in OPTIMIZERS if (name, seed, kind, item) not in done]
            if refusal(task, kind) or not missing:
                continue
            start = make_start(task, kind, 0)
            for optimizer in missing:
                variant = settings[name].variants[optimizer]
                first = make_start(task, kind, 0, variant) if kind == "kaiming" else start
                row = run_arm(task, kind, optimizer, first, settings[name])
                with LINES.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        print(f"{name}, seed {seed}: {time.process_time():.0f} s", flush=True)
    # Without name and time, so that equal results are equal files.
    with RESULTS.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(LINES.read_bytes())


def read_lines() -> list[dict]:
    return [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["pilot", "run", "report"])
    parser.add_argument("--tasks", help="of run: some only, with commas")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of run: the first so many, default %(default)s")
    arguments = parser.parse_args()
    command = arguments.command
    if command == "report":
        from warm_start import report

        report.write(RESULTS, PILOT, HERE / "tables.md", ROOT / "docs" / "warm_start.svg")
        return
    import torch

    torch.set_num_threads(1)
    if command == "pilot":
        pilot()
    else:
        from warm_start.tasks import BUDGETS

        run(arguments.tasks.split(",") if arguments.tasks else list(BUDGETS), arguments.seeds)


if __name__ == "__main__":
    main()
