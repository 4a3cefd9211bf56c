"""Held-out R2 on the diabetes data (10 inputs, 442 rows), 10 hidden units: relufit against scikit-learn's MLPRegressor.

    python bench/diabetes.py [--program build/release/relufit] [--seeds 5]

Five random splits, a quarter held out. MLPRegressor uses L-BFGS, standardized data and the best of eight penalties by
5-fold cross-validation on the training part; relufit its defaults, untuned. Both see the same rows. One thread.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parent.parent
PENALTIES = [1e-3, 1e-2, 0.1, 1.0, 3.0, 10.0, 30.0, 100.0]


def read_data() -> tuple[list[str], np.ndarray]:
    with open(ROOT / "data" / "diabetes.csv", newline="") as file:
        header, *rows = csv.reader(file)
    return header, np.array(rows, dtype=float)


def write_rows(path: Path, header: list[str], rows: np.ndarray) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([[repr(float(value)) for value in row] for row in rows])


def relufit_r2(program: str, header: list[str], train: np.ndarray, test: np.ndarray, seed: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, "train.csv"), Path(folder, "test.csv")]
        write_rows(paths[0], header, train)
        write_rows(paths[1], header, test)
        command = [program, "train", str(paths[0]), "--targets", header[-1], "--hidden", "10", "--seed", str(seed)]
        command += ["--test", str(paths[1]), "--model", str(Path(folder, "model.json")), "--json"]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)["test"]["all"]["r2"]


def mlp_r2(train: np.ndarray, test: np.ndarray, seed: int) -> float:
    network = MLPRegressor(hidden_layer_sizes=(10,), solver="lbfgs", max_iter=2000, random_state=seed)
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    search = GridSearchCV(model, {"regressor__mlpregressor__alpha": PENALTIES}, cv=5)
    search.fit(train[:, :-1], train[:, -1])
    return r2_score(test[:, -1], search.predict(test[:, :-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "relufit"))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    header, data = read_data()
    scores = {"relufit": [], "MLPRegressor, tuned": []}
    seconds = dict.fromkeys(scores, 0.0)
    print("| seed | " + " | ".join(scores) + " |\n|---|---|---|")
    for seed in range(arguments.seeds):
        order = np.random.default_rng(seed).permutation(len(data))
        held_out = len(data) // 4
        train, test = data[order[held_out:]], data[order[:held_out]]
        for name, run in (
            ("relufit", lambda: relufit_r2(arguments.program, header, train, test, seed)),
            ("MLPRegressor, tuned", lambda: mlp_r2(train, test, seed)),
        ):
            begin = time.perf_counter()
            scores[name].append(run())
            seconds[name] += time.perf_counter() - begin
        print(f"| {seed} | " + " | ".join(f"{values[-1]:.4f}" for values in scores.values()) + " |", flush=True)
    print("| mean | " + " | ".join(f"{np.mean(values):.4f}" for values in scores.values()) + " |")
    print("| seconds per split | " + " | ".join(f"{value / arguments.seeds:.2f}" for value in seconds.values()) + " |")


if __name__ == "__main__":
    main()
