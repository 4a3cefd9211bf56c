"""Kills trainings of every kind at random moments, resumes them until they end, and prints what that cost.

    python scripts/kills.py [--kills 50] [--interval 0.05] [--share 0.1] [--only NAME] [--seed 1] [--ranks 3] [--log FILE]

Each row is one kind of training on random data, run once without a checkpoint, once with one, and again and again
killed: one that has ended begins anew until there were so many kills. "same" says whether all models and traces are
those of the first but for their seconds; "lost" is the time of all runs together beyond that of the second, per kill.
With --ranks trainings to be killed are of so many processes, by mpirun, one of which is killed. The log says of every
kill what was killed, and when. Uses the program in build/release (with --ranks build/mpi), or in the folder that
RELUFIT_BUILD names, and NumPy for the data. Exit code 1: not the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from processes import processes_in

ROOT = Path(__file__).resolve().parent.parent
LONG = "--ridge 0.003 --no-polish --hidden 12 --tolerance 1e-300 --iterations 400"
TRAININGS = {
    "relaxation": (LONG, 1000),
    "relaxation, threads": (f"{LONG} --threads 2", 1000),
    "converged": ("--ridge 0.003 --no-polish --hidden 5 --iterations 30 --inner-iterations 0", 200),
    "extrapolated": ("--ridge 0.003 --no-polish --hidden 5 --iterations 30 --strategy extrapolated", 200),
    "continuation": ("--ridge 0.003 --no-polish --hidden 12 --iterations 400 --strategy continuation", 1000),
    "reweighted": ("--ridge 0.003 --no-polish --hidden 3 --iterations 20 --strategy reweighted", 60),
    "safeguarded": ("--ridge 0.003 --no-polish --hidden 5 --iterations 40 --strategy safeguarded", 200),
    "rows apart": ("--ridge 0.01 --no-polish --hidden 250 --iterations 30", 3000),
    "absolute loss": ("--loss absolute --ridge 0.003 --hidden 6 --iterations 300", 300),
    "path of ridges": ("--ridge 0.0003 --hidden 20", 2000),
    "descents on batches": ("--hidden 20", 21000),
    "ridge by folds": ("--hidden 10 --threads 2", 500),
    "width": ("--hidden auto --folds 2", 100),
    "starts": ("--ridge 0.003 --hidden 6 --starts 12 --threads 2", 300),
    "race": ("--ridge 0.003 --hidden 10 --constraints up.json", 2000),
    "exact race": ("--loss exact --method relaxation --hidden 6 --starts 3", 80),
    "search": ("--loss exact --hidden 9", 300),
    "search, two layers": ("--loss exact --hidden 6,4", 200),
    "weight grid": ("--ridge 0.003 --hidden 10 --weight-grid 2^-5", 400),
}


def write_data(folder: Path, samples: int) -> None:
    generator = np.random.default_rng(samples)
    inputs = generator.normal(size=(samples, 5))
    targets = np.sin(inputs[:, :2]).sum(axis=1) + np.abs(inputs[:, 2]) + 0.1 * generator.normal(size=samples)
    np.savetxt(folder / "d.csv", np.column_stack([inputs, targets]), delimiter=",", header="a,b,c,d,e,y", comments="")
    (folder / "up.json").write_text('{"monotone": [{"input": "a", "target": "y", "direction": "increasing"}]}')


def run(
    line: list, folder: Path, seconds: float | None = None, kill: random.Random | None = None
) -> tuple[float, str]:
    """Seconds that it took, and what was killed: nothing where it had ended by itself before."""
    begin = time.monotonic()
    process = subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, message = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        alive = processes_in(folder, next(part for part in line if isinstance(part, Path)))
        if alive and kill:
            place = kill.randrange(len(alive))
            killed = f"process {place + 1} of {len(alive)}"
            os.kill(alive[place], signal.SIGKILL)
        else:
            killed = line[0] if isinstance(line[0], str) else "program"
            process.kill()
        process.communicate()
        return time.monotonic() - begin, killed
    if process.returncode != 0:
        sys.exit(f"{' '.join(line)}: {message.decode()}")
    return time.monotonic() - begin, ""


def result(folder: Path, name: str) -> tuple[dict, list[str]]:
    """The model and the trace without their seconds."""
    model = json.loads((folder / f"{name}.json").read_text())
    del model["training"]["seconds"]
    return model, [line.rpartition(",")[0] for line in (folder / f"{name}.csv").read_text().splitlines()]


def measure(options: str, samples: int, arguments: argparse.Namespace, moments: random.Random) -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, samples)
        program = (
            ROOT / os.environ.get("RELUFIT_BUILD", "build/mpi" if arguments.ranks else "build/release") / "relufit"
        )
        common = [program, "train", "d.csv", "--targets", "y", *options.split()]
        several = ["mpirun", "-n", str(arguments.ranks)] if arguments.ranks else []
        kept = ["--checkpoint", "c.ckpt", "--checkpoint-interval", str(arguments.interval), "--resume"]
        plain, _ = run([*common, "--model", "plain.json", "--trace", "plain.csv"], folder)
        checked, _ = run([*common, "--model", "checked.json", "--trace", "checked.csv", *kept], folder)
        same = result(folder, "checked") == result(folder, "plain")
        (folder / "c.ckpt").unlink()
        line = [*several, *common, "--model", "killed.json", "--trace", "killed.csv", *kept]
        total, size, kills, trainings = 0.0, 0, [], 0
        while len(kills) < arguments.kills:
            trainings += 1
            begun, killed = len(kills), "something"
            while killed:
                left = len(kills) < arguments.kills
                seconds, killed = run(
                    line, folder, moments.uniform(0, 2 * arguments.share * checked) if left else None, moments
                )
                total += seconds
                size = max([size, *(path.stat().st_size for path in folder.glob("c.ckpt*"))])
                if killed:
                    kills.append({"training": trainings, "killed": killed, "after": seconds, "kept": size > 0})
            same = same and result(folder, "killed") == result(folder, "plain")
            for path in folder.glob("c.ckpt*"):
                path.unlink()
            if len(kills) == begun:
                sys.exit(f"{options}: ends before it is killed, expected a smaller --share")
        row = {"plain": plain, "checked": checked, "trainings": trainings, "killed": total, "size": size, "same": same}
        return {**row, "kills": kills}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of every kind")
    parser.add_argument("--interval", type=float, default=0.05, help="seconds between checkpoints")
    parser.add_argument("--share", type=float, default=0.1, help="mean time to a kill, of that of the training")
    parser.add_argument("--only", help="one kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=0, help="processes of the trainings that are killed")
    parser.add_argument("--log", type=Path, help="JSON file of all kills")
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    print(f"{'':22}{'plain s':>9}{'kept s':>9}{'kills':>7}{'trainings':>11}{'killed s':>10}{'lost s':>9}{'KB':>8}  same")
    all_same, log = True, {}
    for kind, (options, samples) in TRAININGS.items():
        if arguments.only not in (None, kind):
            continue
        row = measure(options, samples, arguments, moments)
        kills = len(row["kills"])
        lost = (row["killed"] - row["trainings"] * row["checked"]) / max(kills, 1)
        log[kind] = row
        all_same = all_same and row["same"]
        print(
            f"{kind:22}{row['plain']:9.2f}{row['checked']:9.2f}{kills:7}{row['trainings']:11}{row['killed']:10.2f}{lost:9.3f}"
            f"{row['size'] / 1000:8.0f}  {'yes' if row['same'] else 'NO'}",
            flush=True,
        )
        if arguments.log:
            arguments.log.write_text(json.dumps(log, indent=1) + "\n")
    sys.exit(0 if all_same else 1)


if __name__ == "__main__":
    main()
