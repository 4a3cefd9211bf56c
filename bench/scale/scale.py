"""The law of an iteration's cost on several processes: T = a N k / p + b log2 P + c.

N samples, k units, P processes on p = min(P, cores) processors. Runs bench_scale (preset `mpi`) for many sizes,
checks that the work is the same for every P, fits the law, writes what it measured, and draws it.

    cmake --preset mpi && cmake --build --preset mpi --target bench_scale
    .venv/bin/python bench/scale/scale.py --out bench/results/scale.json --plot docs/scale.svg

Times are the least of three rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM = Path(__file__).parents[2] / "build/mpi/bench_scale"
SAMPLES = (1_000, 10_000, 100_000, 1_000_000)
HIDDEN = (10, 100)
RANKS = (1, 2, 4)
INPUTS = 50
LARGEST = 2e7  # pairs: about 3 GB


def measure(ranks: int, samples: int, hidden: int) -> Any:
    pairs = samples * hidden
    iterations = int(np.clip(4e6 / pairs, 2, 200))
    command = ["mpirun", "-n", str(ranks), str(PROGRAM), "--samples", str(samples), "--inputs", str(INPUTS)]
    command += ["--hidden", str(hidden), "--iterations", str(iterations)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def sizes() -> Iterator[tuple[int, int]]:
    for hidden in HIDDEN:
        for samples in SAMPLES:
            if samples * hidden <= LARGEST:
                yield samples, hidden


def law(results: list[dict[str, Any]], part: str) -> np.ndarray:
    """a, b, c of least relative squares, none negative."""
    from scipy.optimize import nnls

    cores = os.cpu_count() or 1
    rows = [[r["samples"] * r["hidden"] / min(r["processes"], cores), np.log2(r["processes"]), 1] for r in results]
    seconds = np.array([r[part]["seconds"] for r in results])
    return nnls(np.array(rows) / seconds[:, np.newaxis], np.ones(len(seconds)))[0]


def print_table(results: list[dict[str, Any]]) -> None:
    print("| samples | units | processes | iteration, ms | ns per pair | bytes sent | loss, gradient, ms | MB |")
    print("|---|---|---|---|---|---|---|---|")
    for r in results:
        pair = 1e9 * r["relaxation"]["seconds"] / (r["samples"] * r["hidden"])
        print(
            f"| {r['samples']} | {r['hidden']} | {r['processes']} | {1e3 * r['relaxation']['seconds']:.3g} | {pair:.3g} "
            f"| {r['relaxation']['bytes']:.0f} | {1e3 * r['polish']['seconds']:.3g} | {r['memory'] / 1e6:.0f} |"
        )


def draw(results: list[dict[str, Any]], constants: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    a, b, c = constants
    cores = os.cpu_count() or 1
    pairs = np.geomspace(1e4, LARGEST, 50)
    for ranks, marker in zip(RANKS, "osd"):
        some = [r for r in results if r["processes"] == ranks]
        points = axes.plot(
            [r["samples"] * r["hidden"] for r in some],
            [1e3 * r["relaxation"]["seconds"] for r in some],
            marker,
            label=f"{ranks} processes" if ranks > 1 else "1 process",
        )
        modelled = a * pairs / min(ranks, cores) + b * np.log2(ranks) + c
        axes.plot(pairs, 1e3 * modelled, color=points[0].get_color(), linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="pairs (samples times units)", ylabel="ms per iteration")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of what was measured, to write")
    parser.add_argument("--plot", type=Path, help="picture to draw")
    arguments = parser.parse_args()
    results = [measure(ranks, samples, hidden) for samples, hidden in sizes() for ranks in RANKS]
    for part in ("relaxation", "polish"):
        a, b, c = law(results, part)
        print(f"{part}: {1e9 * a:.3g} ns N k / p + {1e6 * b:.3g} us log2 P + {1e6 * c:.3g} us")
    if arguments.plot:
        draw(results, law(results, "relaxation"), arguments.plot)
    print_table(results)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
