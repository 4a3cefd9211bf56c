"""Large data: held-out error and time beside peers, all on the same rows and the same number of cores.

    .venv/bin/python -m pip install -r bench/requirements.txt
    .venv/bin/python bench/scale/large.py --rows 200000 --out bench/results/large.json

Targets are those of a random network with 100 ReLUs and 50 inputs, of variance 1, with noise of variance .01: no
network predicts with a smaller mean squared error than that. With --data friedman they are Friedman's first function of
five of the inputs, with noise of variance 1, all standardized: .0405 is the least. A tenth of the rows is held out.
Every learner has 100 units (LightGBM: 300 trees of 63 leaves) and its usual settings; Adam of PyTorch 20 epochs of
batches of 256, at a constant rate of 1e-3 and at one that falls from 3e-3 to 0 along a cosine, in single precision. Of
at most 20 000 rows MLPRegressor is fitted with the best of four penalties by 5 folds, too.
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


def make_data(kind: str, rows: int, seed: int) -> tuple[np.ndarray, ...]:
    inputs, outputs = {"teacher": teacher, "friedman": friedman}[kind](rows, np.random.default_rng(seed))
    test = rows // 10
    return inputs[test:], outputs[test:], inputs[:test], outputs[:test]


def teacher(rows: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    inputs = generator.normal(size=(rows, INPUTS))
    first = generator.normal(size=(INPUTS, UNITS)) / np.sqrt(INPUTS)
    outputs = np.maximum(inputs @ first + 0.5 * generator.normal(size=UNITS), 0) @ generator.normal(size=UNITS)
    outputs = (outputs - outputs.mean()) / outputs.std() + np.sqrt(NOISE) * generator.normal(size=rows)
    return inputs, outputs


def friedman(rows: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    u = generator.uniform(size=(rows, INPUTS))
    outputs = 10 * np.sin(np.pi * u[:, 0] * u[:, 1]) + 20 * (u[:, 2] - 0.5) ** 2 + 10 * u[:, 3] + 5 * u[:, 4]
    outputs += generator.normal(size=rows)
    return (u - 0.5) * np.sqrt(12), (outputs - outputs.mean()) / outputs.std()


class Adam:
    """PyTorch's, with a rate that is constant or falls to 0 along a cosine."""

    def __init__(self, rate: float, falls: bool, threads: int, epochs: int = 20, batch: int = 256) -> None:
        self.rate, self.falls, self.threads, self.epochs, self.batch = rate, falls, threads, epochs, batch

    def fit(self, inputs: np.ndarray, outputs: np.ndarray) -> Adam:
        import torch

        torch.set_num_threads(self.threads)
        torch.manual_seed(0)
        u, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(outputs, dtype=torch.float32)[:, None]
        self.net = torch.nn.Sequential(torch.nn.Linear(INPUTS, UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, 1))
        optimizer = torch.optim.Adam(self.net.parameters(), lr=self.rate)
        steps = self.epochs * -(-len(u) // self.batch)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if self.falls else None
        for _ in range(self.epochs):
            for rows in torch.randperm(len(u)).split(self.batch):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(self.net(u[rows]), y[rows]).backward()
                optimizer.step()
                if fall:
                    fall.step()
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self.net(torch.tensor(inputs, dtype=torch.float32)).numpy()[:, 0]


def tuned_mlp() -> Any:
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPRegressor

    fitted = MLPRegressor(hidden_layer_sizes=(UNITS,), random_state=0)
    return GridSearchCV(fitted, {"alpha": [1e-4, 1e-2, 1e-1, 1]}, cv=5)


def light_gbm(threads: int) -> Any:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(n_estimators=300, num_leaves=63, n_jobs=threads, verbose=-1)


def learners(threads: int, rows: int) -> dict[str, Callable[[], Any]]:
    from relufit import ReluRegressor
    from sklearn.neural_network import MLPRegressor

    tuned = {"MLPRegressor, best of four penalties": tuned_mlp} if rows <= 20_000 else {}
    return {
        "relufit": lambda: ReluRegressor(hidden=(UNITS,), n_jobs=threads),
        "relufit, ridge 1e-6": lambda: ReluRegressor(hidden=(UNITS,), ridge=1e-6, n_jobs=threads),
        "MLPRegressor": lambda: MLPRegressor(hidden_layer_sizes=(UNITS,), random_state=0),
        "MLPRegressor, early stopping": lambda: MLPRegressor(hidden_layer_sizes=(UNITS,), random_state=0, early_stopping=True),
        "PyTorch's Adam": lambda: Adam(1e-3, False, threads),
        "PyTorch's Adam, falling rate": lambda: Adam(3e-3, True, threads),
        "LightGBM": lambda: light_gbm(threads),
        **tuned,
    }


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=["teacher", "friedman"], default="teacher")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of learners")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    inputs, outputs, test_inputs, test_outputs = make_data(arguments.data, arguments.rows, arguments.seed)
    results = []
    print("| learner | held-out MSE | seconds | processor seconds |\n|---|---|---|---|")
    for name, make in learners(arguments.threads, arguments.rows).items():
        if arguments.only and name not in arguments.only:
            continue
        begin, used = time.perf_counter(), processor_seconds()
        fitted = make().fit(inputs, outputs)
        seconds, used = time.perf_counter() - begin, processor_seconds() - used
        error = float(np.mean((fitted.predict(test_inputs) - test_outputs) ** 2))
        results.append({"learner": name, "mse": error, "seconds": seconds, "processor_seconds": used})
        print(f"| {name} | {error:.5f} | {seconds:.1f} | {used:.1f} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{arguments.data}, {arguments.rows} rows, {arguments.threads} threads; peak memory {peak:.1f} GB")
    arguments.out.write_text(json.dumps({"data": arguments.data, "rows": arguments.rows, "threads": arguments.threads, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
