"""Monotone tasks: held-out errors, violations found by search, and processor time of relufit and of monotone peers.

    python bench/shape [--folder DIR] [--splits N] [--tasks NAME ...] [--models NAME ...] [--out STEM]
    python bench/shape --results FILE ... [--out STEM]       # tables of JSON files of runs, all together

A fifth of the rows is held out, at random (of every class), N times; all see the same rows. Within the others every
contestant chooses among ten settings of its own by 5-fold cross-validation (mean squared error, log loss; the networks
among three), which is part of its time; held-out rows choose nothing. Directions are those of shape/sets.py, where the data's folder is described. Writes
STEM.md and STEM.json, bench/results/shape by default. The Lipschitz networks, which take a hundred times as long as
the rest, see the first two splits alone. Packages: bench/requirements.txt.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1"))

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from shape import models, sets
from shape.published import PUBLISHED
from shape.violations import find_falls


def run_split(name: str, task: sets.Task, train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, Any]:
    """One contestant on one split."""
    model = models.contestant(name, task, seed)
    begin = time.process_time()
    model.fit(task.inputs[train], task.targets[train])
    seconds = time.process_time() - begin
    inputs, targets = task.inputs[test], task.targets[test]
    measures: dict[str, Any] = {"seconds": seconds, "setting": model.setting_}
    if task.classes:
        measures["error"] = float(100 * (model.predict(inputs) != targets).mean())
        measures["log_loss"] = float(log_loss(targets, model.predict_proba(inputs)))
    else:
        measures["error"] = float(((model.predict(inputs) - targets) ** 2).mean())
    falls = find_falls(model.output, task.inputs, task.directions, seed)
    return {**measures, "falls": falls.share, "deepest": falls.deepest}


def run_task(task: sets.Task, names: list[str], splits: int) -> dict[str, list[dict[str, Any]]]:
    kind = StratifiedShuffleSplit if task.classes else ShuffleSplit
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    parts = kind(splits, test_size=0.2, random_state=0).split(task.inputs, task.targets)
    for seed, (train, test) in enumerate(parts):
        for name in names:
            if seed >= models.MOST_SPLITS.get(name, splits):
                continue
            results[name].append(run_split(name, task, train, test, seed))
            found = results[name][-1]
            print(
                f"{task.name} {seed} {name}: {found['error']:.3f}, {found['setting']}, {found['seconds']:.2f} s",
                flush=True,
            )
    return results


def spread(values: list[float], digits: int) -> str:
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):.{digits}f} ± {deviation:.{digits}f}"


def table(classes: bool, results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Rows of Markdown, one per contestant."""
    error = "error, %" if classes else "mean squared error"
    columns = ["method", "splits", error, *(["log loss"] if classes else []), "pairs with a fall, %",
               "deepest fall, % of the range", "processor s", "/ LightGBM"]  # fmt: skip
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    reference = np.mean([run["seconds"] for run in results["LightGBM"]]) if "LightGBM" in results else np.nan
    for name in (name for name in models.CONTESTANTS if name in results):
        runs = results[name]
        of = {key: [run[key] for run in runs] for key in runs[0]}
        seconds = np.mean(of["seconds"])
        cells = [name, str(len(runs)), spread(of["error"], 2), *([spread(of["log_loss"], 3)] if classes else []),
                 f"{100 * np.mean(of['falls']):.2g}", f"{100 * max(of['deepest']):.2g}", f"{seconds:.2f}",
                 f"{seconds / reference:.1f}"]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def published_rows(task: str) -> list[str]:
    rows = ["| published | figure | how it was obtained |", "|---|---|---|"]
    return rows + [f"| {source} | {figures[task]} | {how} |" for source, figures, how in PUBLISHED if task in figures]


def report(results: dict[str, dict[str, list[dict[str, Any]]]]) -> str:
    lines = ["# Monotone tasks: relufit and peers", "", "`python bench/shape`; mean and standard deviation over the "
             "splits. How to read it: [README.md](README.md#monotone-tasks).", ""]  # fmt: skip
    for task, directions, classes in sets.FILES.values():
        if task in results:
            lines += [f"## {task}, {len(directions)} inputs with a direction", ""]
            lines += [*table(classes, results[task]), "", *published_rows(task), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="shape", description="Monotone tasks beside peers.")
    parser.add_argument("--folder", type=Path, default=sets.FOLDER, help="of the data; default: build/monotone")
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--tasks", nargs="*")
    parser.add_argument("--models", nargs="*", choices=list(models.CONTESTANTS))
    parser.add_argument("--results", nargs="*", type=Path, help="JSON files to make tables of, in the place of runs")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "shape")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # LightGBM and scikit-learn on names of columns
    results: dict[str, Any] = {}
    for file in arguments.results or []:
        for name, found in json.loads(file.read_text(encoding="utf-8")).items():
            results.setdefault(name, {}).update(found)
    tasks = [] if results else sets.tasks(arguments.folder)
    for task in tasks:
        if task.name in (arguments.tasks or [task.name]):
            results[task.name] = run_task(task, arguments.models or list(models.CONTESTANTS), arguments.splits)
    if not results:
        parser.error(f"{arguments.folder}: none of the tasks' files, expected train_auto.csv and the like")
    text = report(results)
    print(text)
    arguments.out.with_suffix(".md").write_text(text, encoding="utf-8")
    arguments.out.with_suffix(".json").write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
