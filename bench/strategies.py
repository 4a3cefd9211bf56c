"""Residual against time for every update strategy on one problem: draws docs/strategies.svg.

    python bench/strategies.py [--out docs/strategies.svg]

Needs NumPy and matplotlib (tests/requirements.txt) and the built program.
"""

import argparse
import csv
import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "relufit"
STRATEGIES = ["converged", "inexact", "extrapolated", "continuation", "reweighted", "safeguarded", "projection"]
SECONDS = 4.0


def write_problem(path: Path, seed: int) -> None:
    """A 3-3-2 teacher with linear output and 30 samples."""
    random = np.random.default_rng(seed)
    hidden, output = 0.5 * random.standard_normal((3, 3)), 0.5 * random.standard_normal((2, 3))
    hidden_bias, output_bias = 0.1 * random.standard_normal((3, 1)), 0.1 * random.standard_normal((2, 1))
    inputs = random.standard_normal((3, 30))
    targets = output @ np.maximum(hidden @ inputs + hidden_bias, 0) + output_bias
    np.savetxt(path, np.vstack([inputs, targets]).T, delimiter=",", header="u0,u1,u2,y0,y1", comments="")


def residuals(data: Path, strategy: str, seed: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times and best relative residuals so far of one start."""
    trace = folder / "trace.csv"
    subprocess.run(
        [PROGRAM, "train", data, "--targets", "y0,y1", "--hidden", "3", "--loss", "exact", "--strategy", strategy,
         "--no-polish", "--seed", str(seed), "--iterations", "1000000", "--time-limit", str(SECONDS),
         "--model", folder / "model.json", "--trace", trace],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    rows = list(csv.DictReader(trace.open()))
    return (np.array([float(row["seconds"]) for row in rows]),
            np.minimum.accumulate([float(row["fit"]) for row in rows]))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=ROOT / "docs" / "strategies.svg")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--problem-seed", type=int, default=0)
    arguments = parser.parse_args()
    times = np.geomspace(1e-3, SECONDS, 200)
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_problem(folder / "data.csv", arguments.problem_seed)
        for strategy in STRATEGIES:
            curves = []
            for seed in range(arguments.seeds):
                seconds, best = residuals(folder / "data.csv", strategy, seed, folder)
                # The value known at each time: the last one recorded before it.
                last = np.searchsorted(seconds, times, side="right") - 1
                curves.append(np.where(last >= 0, best[np.maximum(last, 0)], np.nan))
            axes.loglog(times, np.median(curves, axis=0), label=strategy, lw=1.6)
            print(f"{strategy:>13}: median residual {np.median([curve[-1] for curve in curves]):.1e}", flush=True)
    axes.set(xlabel="seconds", ylabel="relative residual of the plain network, best so far")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(arguments.out)


if __name__ == "__main__":
    main()
