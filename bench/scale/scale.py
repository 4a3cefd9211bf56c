"""The law of an iteration's cost on several processes: T = a N k / p + b log2 P + c.

N samples, k units, P processes on p = min(P, cores) processors. Runs bench_scale (preset `mpi`) for many sizes,
checks that the work is the same for every P, fits the law, writes what it measured, and draws it.

    cmake --preset mpi && cmake --build --preset mpi --target bench_scale
    .venv/bin/python bench/scale/scale.py --out bench/results/scale.json --plot docs/scale.svg
    sudo .venv/bin/python bench/scale/scale.py --network --out bench/results/scale-network.json

With --network the four processes lie in network namespaces of their own, whose bandwidth is limited by `tc` (tbf); it
needs root. Times are the least of three rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np

PROGRAM = Path(__file__).parents[2] / "build/mpi/bench_scale"
SAMPLES = (1_000, 10_000, 100_000, 1_000_000)
HIDDEN = (10, 100, 1000)
RANKS = (1, 2, 4)
INPUTS = 50
LARGEST = 2e7  # pairs: about 3 GB
HOSTS = ("n1", "n2", "n3", "n4")


def measure(ranks: int, samples: int, hidden: int, launch: tuple[str, ...] = (), environment: Any = None) -> Any:
    pairs = samples * hidden
    iterations = int(np.clip(4e6 / pairs, 2, 200))
    command = ["mpirun", *launch, "-n", str(ranks), str(PROGRAM), "--samples", str(samples), "--inputs", str(INPUTS)]
    command += ["--hidden", str(hidden), "--iterations", str(iterations)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **(environment or {})}
    )
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
    figure.savefig(path)


@contextmanager
def namespaces(rate: str) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Four namespaces on one bridge, each sending at this rate; how mpirun starts a process in each."""

    def run(line: str) -> None:
        subprocess.run(line.split(), check=True)

    run("ip link add br9 type bridge")
    try:
        run("ip addr add 10.9.0.254/24 dev br9")
        run("ip link set br9 up")
        for i, host in enumerate(HOSTS, 1):
            run(f"ip netns add {host}")
            run(f"ip link add v{i} type veth peer name eth0 netns {host}")
            run(f"ip link set v{i} master br9 up")
            run(f"ip netns exec {host} ip addr add 10.9.0.{i}/24 dev eth0")
            run(f"ip netns exec {host} ip link set eth0 up")
            run(f"ip netns exec {host} ip link set lo up")
            if rate:
                run(f"ip netns exec {host} tc qdisc add dev eth0 root tbf rate {rate} burst 64kb latency 400ms")
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as script:
            script.write(
                "#!/bin/sh\n"
                'while case "$1" in -*) true;; *) false;; esac; do shift; done\n'
                'case "$1" in n?) host=$1;; *) host=n${1##*.};; esac; shift\n'
                'exec ip netns exec "$host" sh -c "$*"\n'
            )
        os.chmod(script.name, 0o755)
        addresses = ",".join(f"10.9.0.{i}" for i in range(1, 5))
        launch = ("-launcher", "ssh", "-launcher-exec", script.name, "-iface", "br9", "-hosts", addresses)
        yield launch, {"FI_PROVIDER": "tcp"}
        os.unlink(script.name)
    finally:
        for host in HOSTS:
            subprocess.run(["ip", "netns", "del", host], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", "br9"], check=False)


def measure_network() -> list[dict[str, Any]]:
    results = []
    for rate in ("", "1gbit", "100mbit"):
        with namespaces(rate) as (launch, environment):
            for samples, hidden in ((10_000, 10), (10_000, 100)):
                result = measure(4, samples, hidden, launch, environment)
                results.append({"rate": rate or "unlimited", **result})
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of what was measured, to write")
    parser.add_argument("--plot", type=Path, help="picture to draw")
    parser.add_argument("--network", action="store_true", help="four processes in network namespaces instead")
    arguments = parser.parse_args()
    if arguments.network:
        results = measure_network()
        for r in results:
            print(r["rate"], end=": ")
        print()
    else:
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
