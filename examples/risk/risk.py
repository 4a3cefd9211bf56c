"""A monotone risk model: the odds of a malignant tumour never fall as the nuclei get larger, rougher or more dented.

    python examples/risk/risk.py [--program build/release/relufit] [--out build/examples/risk] [--repeats 3]

Cross-validates a network with and without monotone constraints, and logistic regression, on the breast cancer data;
proves the constraints with `relufit evaluate` and looks for violations at random points. README.md beside this file
explains the steps.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parents[2]
SCORE = "diagnosis=malignant"  # the program's name of the log odds
# Mean of the three largest values in an image.
INPUTS = [f"worst_{name}" for name in ("radius", "texture", "perimeter", "area", "smoothness", "compactness",
                                       "concavity", "concave_points", "symmetry", "fractal_dimension")]  # fmt: skip
RISING = [f"worst_{name}" for name in ("radius", "texture", "perimeter", "area", "concavity", "concave_points")]
TRAIN = ("--task", "classify", "--targets", "diagnosis", "--loss", "logistic", "--hidden", "4", "--ridge", "0.003")
FOLDS = 3
POINTS = 100_000


def read_data() -> tuple[np.ndarray, np.ndarray]:
    with open(ROOT / "data" / "breast_cancer.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    inputs = np.array([[float(row[name]) for name in INPUTS] for row in rows])
    return inputs, np.array([row["benign"] == "0" for row in rows])


def write_rows(path: Path, inputs: np.ndarray, malignant: np.ndarray) -> None:
    """Labels as words: the second of them in the order of the alphabet is what the log odds are about."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*INPUTS, "diagnosis"])
        for row, label in zip(inputs, malignant):
            writer.writerow([*(repr(float(value)) for value in row), "malignant" if label else "benign"])


def write_constraints(path: Path) -> None:
    demands = [{"input": name, "target": SCORE, "direction": "increasing"} for name in RISING]
    path.write_text(json.dumps({"monotone": demands}, indent=2))


def run(program: str, *arguments: object) -> dict:
    command = [program, *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def log_odds(model: dict, inputs: np.ndarray) -> np.ndarray:
    values = (inputs - model["input_scaling"]["offset"]) / np.array(model["input_scaling"]["scale"])
    *hidden, last = model["layers"]
    for layer in hidden:
        values = np.maximum(0, values @ np.array(layer["weights"]).T + layer["bias"])
    return (values @ np.array(last["weights"]).T + last["bias"])[:, 0]  # classes are not scaled


def share_of_falls(model: dict, inputs: np.ndarray) -> float:
    """Share of random points in the box of the data where the log odds fall as one of the RISING inputs grows."""
    random = np.random.default_rng(0)
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    points = random.uniform(low, high, (POINTS, len(INPUTS)))
    before = log_odds(model, points)
    falls = np.zeros(POINTS, dtype=bool)
    rounding = 1e-12 * np.abs(before).max()
    for name in RISING:
        at = INPUTS.index(name)
        moved = points.copy()
        moved[:, at] += (high - low)[at] * random.random(POINTS)
        falls |= log_odds(model, moved) < before - rounding
    return float(falls.mean())


def splits(repeats: int, inputs: np.ndarray, malignant: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    folds = [StratifiedKFold(FOLDS, shuffle=True, random_state=repeat) for repeat in range(repeats)]
    return [split for fold in folds for split in fold.split(inputs, malignant)]


def fit_network(program: str, out: Path, split: int, name: str, options: tuple) -> tuple[float, ...]:
    """Held-out accuracy and log loss, share of falls, smallest slack of the constraints."""
    train, test, model = out / f"train{split}.csv", out / f"test{split}.csv", out / f"{name}{split}.json"
    held_out = run(program, "train", train, *TRAIN, *options, "--test", test, "--model", model)["test"]
    proof = run(program, "evaluate", model, test, "--constraints", out / "constraints.json")["constraints"]
    share = share_of_falls(json.loads(model.read_text()), read_data()[0])
    return held_out["accuracy"], held_out["log_loss"], share, min(check["slack"] for check in proof)


def fit_regression(inputs: np.ndarray, malignant: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[float, ...]:
    regression = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs[train], malignant[train])
    slopes = regression[-1].coef_[0][[INPUTS.index(name) for name in RISING]]
    loss = log_loss(malignant[test], regression.predict_proba(inputs[test]))
    return regression.score(inputs[test], malignant[test]), loss, float(slopes.min() < 0), slopes.min()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "relufit"))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "examples" / "risk")
    parser.add_argument("--repeats", type=int, default=3, help=f"of the {FOLDS}-fold cross-validation")
    arguments = parser.parse_args()
    program, out = arguments.program, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    write_constraints(out / "constraints.json")
    networks = {"free": (), "monotone": ("--constraints", out / "constraints.json")}

    inputs, malignant = read_data()
    scores: dict[str, list[tuple[float, ...]]] = {name: [] for name in (*networks, "logistic regression")}
    for split, (train, test) in enumerate(splits(arguments.repeats, inputs, malignant)):
        write_rows(out / f"train{split}.csv", inputs[train], malignant[train])
        write_rows(out / f"test{split}.csv", inputs[test], malignant[test])
        for name, options in networks.items():
            scores[name].append(fit_network(program, out, split, name, options))
        scores["logistic regression"].append(fit_regression(inputs, malignant, train, test))

    print("| model | held-out accuracy | held-out log loss | proven monotone | falls, mean | falls, worst |")
    print("|---|---|---|---|---|---|")
    for name, values in scores.items():
        accuracy, loss, falls, slack = np.array(values).T
        print(f"| {name} | {accuracy.mean():.4f} | {loss.mean():.4f} | {np.sum(slack >= -1e-9)} of {len(values)} "
              f"| {falls.mean():.2%} | {falls.max():.2%} |")  # fmt: skip


if __name__ == "__main__":
    main()
