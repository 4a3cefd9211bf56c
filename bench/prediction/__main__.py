"""Held-out predictions of relufit and of what people use now, and the processor time of a fit.

    python -m prediction [--task regression|classification] [--repeats N] [--sets NAME ...] [--models NAME ...]
                         [--json FILE]                                                        # in the folder bench

Every model sees the same folds; fits run one after the other on one thread. Scores are R2, and the log loss and accuracy
of held-out samples; the interval is two standard errors of the mean over all folds.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1"))

import argparse
import json
import time
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

from . import models, sets

FOLDS = 5


def run_fold(model: Any, task: str, data: sets.Set, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    inputs, targets = data
    model = clone(model)
    begin = time.process_time()
    model.fit(inputs[train], targets[train])
    seconds = time.process_time() - begin
    if task == "regression":
        return {"score": r2_score(targets[test], model.predict(inputs[test])), "seconds": seconds}
    probabilities = model.predict_proba(inputs[test])
    loss = log_loss(targets[test], probabilities, labels=model.classes_)
    accuracy = accuracy_score(targets[test], model.predict(inputs[test]))
    return {"score": loss, "accuracy": accuracy, "seconds": seconds}


def run_set(task: str, data: sets.Set, contestants: dict[str, Any], repeats: int) -> dict[str, dict[str, list[float]]]:
    split = (RepeatedKFold if task == "regression" else RepeatedStratifiedKFold)(
        n_splits=FOLDS, n_repeats=repeats, random_state=1
    )
    results: dict[str, dict[str, list[float]]] = {name: {} for name in contestants}
    for train, test in split.split(*data):
        for name, model in contestants.items():
            for measure, value in run_fold(model, task, data, train, test).items():
                results[name].setdefault(measure, []).append(value)
    return results


def line(task: str, measures: dict[str, list[float]]) -> str:
    score = np.array(measures["score"])
    text = f"{score.mean():.3f} ± {2 * score.std(ddof=1) / np.sqrt(len(score)):.3f}"
    if task == "classification":
        text += f", {np.mean(measures['accuracy']):.3f}"
    return f"{text} ({np.mean(measures['seconds']):.2f} s)"


def summary(task: str, results: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """Mean score, mean rank, and the geometric mean of the time beside the first model's."""
    names = list(next(iter(results.values())))
    scores = np.array([[np.mean(of_set[name]["score"]) for name in names] for of_set in results.values()])
    seconds = np.array([[np.mean(of_set[name]["seconds"]) for name in names] for of_set in results.values()])
    order = scores if task == "classification" else -scores
    ranks = order.argsort(axis=1).argsort(axis=1) + 1
    behind = order - order.min(axis=1, keepdims=True)
    rows = ["| | mean | mean rank | most behind the best | time / first |", "|---|---|---|---|---|"]
    for i, name in enumerate(names):
        ratio = np.exp(np.log(seconds[:, i] / seconds[:, 0]).mean())
        rows.append(
            f"| {name} | {scores[:, i].mean():.4f} | {ranks[:, i].mean():.2f} | {behind[:, i].max():.3f} | {ratio:.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="prediction", description="Held-out predictions beside peers.")
    parser.add_argument("--task", choices=["regression", "classification"], default="regression")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--json", help="file for all scores and times")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # MLP says that it has not converged
    all_sets = getattr(sets, arguments.task)()
    contestants = models.regressors() if arguments.task == "regression" else models.classifiers()
    contestants = {name: contestants[name] for name in arguments.models or contestants}
    results = {}
    for name in arguments.sets or all_sets:
        data = all_sets[name]
        results[name] = run_set(arguments.task, data, contestants, arguments.repeats)
        print(f"{name}, {data[0].shape[0]} x {data[0].shape[1]}")
        for model, measures in results[name].items():
            print(f"  {model:22s} {line(arguments.task, measures)}", flush=True)
    print(summary(arguments.task, results))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"task": arguments.task, "repeats": arguments.repeats, "results": results}, file)


if __name__ == "__main__":
    main()
