"""Accuracy of classification: relufit against scikit-learn's MLPClassifier, 5-fold cross-validation.

    python bench/classification.py [--program build/release/relufit] [--repeats 1] [--data breast_cancer,wine,...]

Breast cancer, wine, iris with 10 hidden units, digits with 32. MLPClassifier (Adam, its defaults otherwise) on
standardized data with the best of seven penalties alpha by 3-fold cross-validation on the training part; relufit with
its defaults, which are the same for all data. Both see the same rows. One thread each. Processor seconds per fold.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import tempfile
import warnings
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parent.parent
DATA = {"breast_cancer": 10, "wine": 10, "iris": 10, "digits": 32}
PENALTIES = [1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0, 10.0]


def read_data(name: str) -> tuple[list[str], list[list[str]]]:
    with open(ROOT / "data" / f"{name}.csv", newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def processor_seconds() -> float:
    """Of this process and those it has waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def relufit_scores(
    program: str, options: list[str], header: list[str], train: list, test: list, hidden: int
) -> tuple[float, float]:
    """Accuracy and log loss on the test rows."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, "train.csv"), Path(folder, "test.csv")]
        write_rows(paths[0], header, train)
        write_rows(paths[1], header, test)
        command = [program, "train", str(paths[0]), "--task", "classify", "--targets", header[-1]]
        command += ["--hidden", str(hidden), "--test", str(paths[1]), "--model", str(Path(folder, "model.json"))]
        result = subprocess.run([*command, *options, "--json"], check=True, capture_output=True, text=True)
    report = json.loads(result.stdout)["test"]
    return report["accuracy"], report["log_loss"]


def mlp_scores(train: list, test: list, hidden: int, seed: int) -> tuple[float, float]:
    network = MLPClassifier(hidden_layer_sizes=(hidden,), max_iter=1000, random_state=seed)
    model = make_pipeline(StandardScaler(), network)
    search = GridSearchCV(model, {"mlpclassifier__alpha": PENALTIES}, cv=3)
    train_inputs, test_inputs = (np.array([row[:-1] for row in rows], dtype=float) for rows in (train, test))
    labels = [row[-1] for row in train]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(train_inputs, labels)
    truth = [row[-1] for row in test]
    return search.score(test_inputs, truth), log_loss(truth, search.predict_proba(test_inputs), labels=search.classes_)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "relufit"))
    parser.add_argument("--repeats", type=int, default=1, help="cross-validations, each with other folds")
    parser.add_argument("--data", default=",".join(DATA))
    parser.add_argument("--only", choices=["relufit", "MLPClassifier"], help="run one of the two")
    parser.add_argument("--options", default="", help="further options of relufit train")
    arguments = parser.parse_args()
    print("| data | folds | method | accuracy | log loss | processor s per fold |\n|---|---|---|---|---|---|")
    for name in arguments.data.split(","):
        header, rows = read_data(name)
        labels = [row[-1] for row in rows]
        methods = {
            "relufit": lambda train, test, seed: relufit_scores(
                arguments.program, arguments.options.split(), header, train, test, DATA[name]
            ),
            "MLPClassifier": lambda train, test, seed: mlp_scores(train, test, DATA[name], seed),
        }
        for method, run in methods.items():
            if arguments.only not in (None, method):
                continue
            scores, begin = [], processor_seconds()
            for seed in range(arguments.repeats):
                folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(rows, labels)
                for train, test in folds:
                    scores.append(run([rows[i] for i in train], [rows[i] for i in test], seed))
            seconds = (processor_seconds() - begin) / len(scores)
            accuracy, loss = np.mean(scores, axis=0)
            print(f"| {name} | {len(scores)} | {method} | {accuracy:.4f} | {loss:.4f} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
