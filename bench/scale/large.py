"""Large data: held-out error and time beside peers, all on the same rows and the same number of cores.

    .venv/bin/python -m pip install -r bench/requirements.txt
    .venv/bin/python bench/scale/large.py --rows 200000 --out bench/results/large.json

Targets are those of a random network with ReLUs, of variance 1, with noise of variance --noise: no network predicts
with a smaller mean squared error than that. With --data friedman they are Friedman's first function of five of the
inputs, with --data sines a sum of ten sines of projections, likewise. A tenth of the rows is held out.
Every learner has 100 units (LightGBM: 300 trees of 63 leaves) and its usual settings; Adam of PyTorch 20 epochs of
batches of 256, at a constant rate of 1e-3 and at one that falls from 3e-3 to 0 along a cosine, in single precision. Of
at most 20 000 rows MLPRegressor is fitted with the best of four penalties by 5 folds, too. Each is a process of its own,
whose processor time and peak memory, with the data, are given.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np

UNITS = 100  # of the learners


def make_data(a: argparse.Namespace) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(a.seed)
    inputs, outputs = {"teacher": teacher, "friedman": friedman, "sines": sines}[a.data](a, generator)
    outputs = (outputs - outputs.mean()) / outputs.std() + np.sqrt(a.noise) * generator.normal(size=a.rows)
    test = a.rows // 10
    return inputs[test:], outputs[test:], inputs[:test], outputs[:test]


def teacher(a: argparse.Namespace, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    inputs = generator.normal(size=(a.rows, a.inputs))
    first = generator.normal(size=(a.inputs, a.units)) / np.sqrt(a.inputs)
    hidden = np.maximum(inputs @ first + 0.5 * generator.normal(size=a.units), 0)
    return inputs, hidden @ generator.normal(size=a.units)


def friedman(a: argparse.Namespace, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    u = generator.uniform(size=(a.rows, a.inputs))
    outputs = 10 * np.sin(np.pi * u[:, 0] * u[:, 1]) + 20 * (u[:, 2] - 0.5) ** 2 + 10 * u[:, 3] + 5 * u[:, 4]
    return (u - 0.5) * np.sqrt(12), outputs


def sines(a: argparse.Namespace, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    inputs = generator.normal(size=(a.rows, a.inputs))
    first = generator.normal(size=(a.inputs, 10)) / np.sqrt(a.inputs)
    return inputs, np.sin(2 * inputs @ first) @ generator.normal(size=10)


class Adam:
    """PyTorch's, with a rate that is constant or falls to 0 along a cosine."""

    def __init__(self, rate: float, falls: bool, threads: int, epochs: int = 20, batch: int = 256) -> None:
        self.rate, self.falls, self.threads, self.epochs, self.batch = rate, falls, threads, epochs, batch

    def fit(self, inputs: np.ndarray, outputs: np.ndarray) -> Adam:
        import torch

        torch.set_num_threads(self.threads)
        torch.manual_seed(0)
        u, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(outputs, dtype=torch.float32)[:, None]
        self.net = torch.nn.Sequential(torch.nn.Linear(u.shape[1], UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, 1))
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


def mlp(**options: Any) -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(hidden_layer_sizes=(UNITS,), random_state=0, **options)


def tuned_mlp() -> Any:
    from sklearn.model_selection import GridSearchCV

    return GridSearchCV(mlp(), {"alpha": [1e-4, 1e-2, 1e-1, 1]}, cv=5)


def light_gbm(threads: int) -> Any:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(n_estimators=300, num_leaves=63, n_jobs=threads, verbose=-1)


def relufit(threads: int, **options: Any) -> Any:
    from relufit import ReluRegressor

    return ReluRegressor(hidden=(UNITS,), n_jobs=threads, **options)


def learners(threads: int, rows: int) -> dict[str, Callable[[], Any]]:
    tuned = {"MLPRegressor, best of four penalties": tuned_mlp} if rows <= 20_000 else {}
    return {
        "LightGBM": lambda: light_gbm(threads),
        "PyTorch's Adam": lambda: Adam(1e-3, False, threads),
        "PyTorch's Adam, falling rate": lambda: Adam(3e-3, True, threads),
        "MLPRegressor": lambda: mlp(),
        "MLPRegressor, early stopping": lambda: mlp(early_stopping=True),
        **tuned,
        "relufit": lambda: relufit(threads),
        "relufit, ridge 1e-6": lambda: relufit(threads, ridge=1e-6),
    }


def judge(make: Callable[[], Any], data: tuple[np.ndarray, ...], results: Any) -> None:
    """Sends what a learner achieves on these data."""
    inputs, outputs, test_inputs, test_outputs = data
    learner = make()
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    fitted = learner.fit(inputs, outputs)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    error = float(np.mean((fitted.predict(test_inputs) - test_outputs) ** 2))
    results.send({"mse": error, "seconds": seconds, "processor_seconds": used, "peak_gb": after.ru_maxrss / 1e6})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=["teacher", "friedman", "sines"], default="teacher")
    parser.add_argument("--inputs", type=int, default=50)
    parser.add_argument("--units", type=int, default=100, help="of the teacher")
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of learners")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    data = make_data(arguments)
    what = {name: value for name, value in vars(arguments).items() if name not in ("only", "out")}
    results = []
    print(what, "\n| learner | held-out MSE | seconds | processor seconds | peak GB |\n|---|---|---|---|---|")
    for name, make in learners(arguments.threads, arguments.rows).items():
        if arguments.only and name not in arguments.only:
            continue
        processes = multiprocessing.get_context("fork")
        received, sent = processes.Pipe(duplex=False)
        process = processes.Process(target=judge, args=(make, data, sent))
        process.start()
        result = received.recv()
        process.join()
        results.append({"learner": name, **result})
        print(f"| {name} | {result['mse']:.5f} | {result['seconds']:.1f} | {result['processor_seconds']:.1f}"
              f" | {result['peak_gb']:.1f} |", flush=True)
    arguments.out.write_text(json.dumps({**what, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
