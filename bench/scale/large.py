"""Large data: held-out error and time beside peers, all on the same rows and the same number of cores.

    .venv/bin/python -m pip install -r bench/requirements.txt
    .venv/bin/python bench/scale/large.py --rows 200000 --out bench/results/large.json

Targets are those of a random network with 100 ReLUs and 50 inputs, of variance 1, with noise of variance .01: no
network predicts with a smaller mean squared error than that. A tenth of the rows is held out. Every learner has 100
units (LightGBM: 300 trees of 63 leaves) and its usual settings; relufit also with the ridge given.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np

NOISE = 0.01
UNITS = 100
INPUTS = 50


def make_data(rows: int, seed: int) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(rows, INPUTS))
    first = generator.normal(size=(INPUTS, UNITS)) / np.sqrt(INPUTS)
    outputs = np.maximum(inputs @ first + 0.5 * generator.normal(size=UNITS), 0) @ generator.normal(size=UNITS)
    outputs = (outputs - outputs.mean()) / outputs.std() + np.sqrt(NOISE) * generator.normal(size=rows)
    test = rows // 10
    return inputs[test:], outputs[test:], inputs[:test], outputs[:test]


def learners(threads: int) -> dict[str, Callable[[], Any]]:
    from lightgbm import LGBMRegressor
    from relufit import ReluRegressor
    from sklearn.neural_network import MLPRegressor

    return {
        "relufit": lambda: ReluRegressor(hidden=(UNITS,), n_jobs=threads),
        "relufit, ridge 1e-5": lambda: ReluRegressor(hidden=(UNITS,), ridge=1e-5, n_jobs=threads),
        "MLPRegressor": lambda: MLPRegressor(hidden_layer_sizes=(UNITS,), random_state=0),
        "MLPRegressor, early stopping": lambda: MLPRegressor(hidden_layer_sizes=(UNITS,), random_state=0, early_stopping=True),
        "LightGBM": lambda: LGBMRegressor(n_estimators=300, num_leaves=63, n_jobs=threads, verbose=-1),
    }


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of learners")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    inputs, outputs, test_inputs, test_outputs = make_data(arguments.rows, arguments.seed)
    results = []
    print("| learner | held-out MSE | seconds | processor seconds |\n|---|---|---|---|")
    for name, make in learners(arguments.threads).items():
        if arguments.only and name not in arguments.only:
            continue
        begin, used = time.perf_counter(), processor_seconds()
        fitted = make().fit(inputs, outputs)
        seconds, used = time.perf_counter() - begin, processor_seconds() - used
        error = float(np.mean((fitted.predict(test_inputs) - test_outputs) ** 2))
        results.append({"learner": name, "mse": error, "seconds": seconds, "processor_seconds": used})
        print(f"| {name} | {error:.5f} | {seconds:.1f} | {used:.1f} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{arguments.rows} rows, noise {NOISE}, {arguments.threads} threads; peak memory {peak:.1f} GB")
    arguments.out.write_text(json.dumps({"rows": arguments.rows, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
