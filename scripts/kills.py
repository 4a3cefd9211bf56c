"""Kills trainings of every kind at random moments, resumes them until they end, and prints what that cost.

    python scripts/kills.py [--kills 50] [--interval 0.05] [--share 0.1] [--only KIND ...] [--seed 1] [--ranks 3]
        [--log FILE]

Each row is one kind of training on random data, run once without a checkpoint, once with one, and again and again
killed: one that has ended begins anew until there were so many kills. "same" says whether all models and traces are
those of the first but for their seconds; "lost" is the time of all runs together beyond that of the second, per kill.
With --ranks trainings are of so many processes, by mpirun, but for the first, of one; a rank drawn at random is killed.
The log says of every kill which rank, and when. Uses the program in build/release (with --ranks build/mpi), or in the
folder that RELUFIT_BUILD names, and NumPy for the data. Exit code 1: not the same.
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

PATIENCE = 60  # seconds for all to end where one was killed
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
    "rows apart": ("--ridge 0.01 --no-polish --hidden 40 --iterations 120", 3000, 50),
    "rows apart, polish": ("--loss absolute --ridge 0.01 --hidden 40 --iterations 20", 3000, 50),
    "absolute loss": ("--loss absolute --ridge 0.003 --hidden 6 --iterations 300", 300),
    "path of ridges": ("--ridge 0.0003 --hidden 20", 2000),
    "descents on batches": ("--hidden 20", 21000),
    "ridge by folds": ("--hidden 10 --threads 2", 500),
    "width": ("--hidden auto --folds 2", 100),
    "starts": ("--ridge 0.003 --hidden 6 --starts 100 --threads 2", 300),
    "race": ("--ridge 0.003 --hidden 10 --constraints up.json", 2000),
    "exact race": ("--loss exact --method relaxation --hidden 6 --starts 3", 80),
    "search": ("--loss exact --hidden 9", 300),
    "search, two layers": ("--loss exact --hidden 6,4", 200),
    "weight grid": ("--ridge 0.003 --hidden 10 --weight-grid 2^-5", 400),
}


def write_data(folder: Path, samples: int, inputs: int = 5) -> None:
    generator = np.random.default_rng(samples)
    u = generator.normal(size=(samples, inputs))
    targets = np.sin(u[:, :2]).sum(axis=1) + np.abs(u[:, 2]) + 0.1 * generator.normal(size=samples)
    names = ",".join([*(f"u{i}" for i in range(inputs)), "y"])
    np.savetxt(folder / "d.csv", np.column_stack([u, targets]), delimiter=",", header=names, comments="")
    (folder / "up.json").write_text('{"monotone": [{"input": "u0", "target": "y", "direction": "increasing"}]}')


def name_of(process: int) -> str:
    """Its rank, by what MPICH or Open MPI's mpirun has told it."""
    told = dict(part.partition("=")[::2] for part in Path(f"/proc/{process}/environ").read_text().split("\0"))
    return "rank " + next(told[name] for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK") if name in told)


def kill_one(alive: list[int], moments: random.Random) -> str:
    """What was killed; nothing where it had ended by itself before."""
    lost = moments.choice(alive)
    try:
        name = name_of(lost)
        os.kill(lost, signal.SIGKILL)
    except OSError:
        return ""
    return name


def run(
    line: list, folder: Path, seconds: float | None = None, moments: random.Random | None = None
) -> tuple[float, str, float]:
    """Seconds that it took; what was killed, nothing where it had ended by itself before; seconds until all had ended."""
    program = next(part for part in line if isinstance(part, Path))
    begin = time.monotonic()
    process = subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    killed, killed_at = "", 0.0
    try:
        _, message = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        if line[0] == program:
            process.kill()
            killed = "program"
        while not killed and process.poll() is None:  # mpirun may not have started any
            if alive := processes_in(folder, program):
                killed = kill_one(alive, moments)
            time.sleep(0.01)
        killed_at = time.monotonic()
        _, message = process.communicate(timeout=PATIENCE)
    if not killed and process.returncode != 0:
        sys.exit(f"{' '.join(map(str, line))}: {message.decode()}")
    while processes_in(folder, program):
        if time.monotonic() > killed_at + PATIENCE:
            sys.exit(f"{killed} is lost, and the others go on")
        time.sleep(0.01)
    ended = time.monotonic()
    return ended - begin, killed, ended - killed_at if killed else 0.0


def result(folder: Path, name: str) -> tuple[dict, list[str]]:
    """The model and the trace without their seconds."""
    model = json.loads((folder / f"{name}.json").read_text())
    del model["training"]["seconds"]
    return model, [line.rpartition(",")[0] for line in (folder / f"{name}.csv").read_text().splitlines()]


def measure(options: str, data: list[int], arguments: argparse.Namespace, moments: random.Random) -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, *data)
        program = (
            ROOT / os.environ.get("RELUFIT_BUILD", "build/mpi" if arguments.ranks else "build/release") / "relufit"
        )
        common = [program, "train", "d.csv", "--targets", "y", *options.split()]
        several = ["mpirun", "-n", str(arguments.ranks)] if arguments.ranks else []
        kept = ["--checkpoint", "c.ckpt", "--checkpoint-interval", str(arguments.interval), "--resume"]
        plain, *_ = run([*common, "--model", "plain.json", "--trace", "plain.csv"], folder)
        checked, *_ = run([*several, *common, "--model", "checked.json", "--trace", "checked.csv", *kept], folder)
        same = result(folder, "checked") == result(folder, "plain")
        for path in folder.glob("c.ckpt*"):
            path.unlink()
        line = [*several, *common, "--model", "killed.json", "--trace", "killed.csv", *kept]
        total, size, kills, trainings = 0.0, 0, [], 0
        while len(kills) < arguments.kills:
            trainings += 1
            begun, killed = len(kills), "something"
            while killed:
                moment = moments.uniform(0, 2 * arguments.share * checked) if len(kills) < arguments.kills else None
                seconds, killed, ending = run(line, folder, moment, moments)
                total += seconds
                size = max([size, *(path.stat().st_size for path in folder.glob("c.ckpt*"))])
                if killed:
                    kills.append({"training": trainings, "killed": killed, "after": seconds - ending, "ended": ending})
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
    parser.add_argument("--only", nargs="*", choices=list(TRAININGS), metavar="KIND", help="these kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=0, help="processes of the trainings that are killed")
    parser.add_argument("--log", type=Path, help="JSON file of all kills")
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    print(f"{'':22}{'plain s':>9}{'kept s':>9}{'kills':>7}{'trainings':>11}{'killed s':>10}{'lost s':>9}{'KB':>8}  same")
    all_same, log = True, {}
    for kind, (options, *data) in TRAININGS.items():
        if arguments.only and kind not in arguments.only:
            continue
        row = measure(options, data, arguments, moments)
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
