"""Trains on small problems of every kind and prints a hash of each network and its predictions.

A change that moves code changes no bit of them:  .venv/bin/python scripts/same_results.py > before.txt, then the same
after the change, and diff. Runs against the installed Python package and the program build/release/relufit.
"""

import hashlib
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import relufit

PROGRAM = Path(__file__).parent.parent / "build" / "release" / "relufit"
RANDOM = np.random.default_rng(7)
INPUTS = RANDOM.normal(size=(60, 3))
SMOOTH = np.column_stack([np.sin(INPUTS[:, 0]) + INPUTS[:, 1], np.abs(INPUTS[:, 2])])
LABELS = np.where(SMOOTH[:, 0] > 0.5, "high", np.where(SMOOTH[:, 0] > -0.5, "mid", "low"))
TWO_LABELS = np.where(SMOOTH[:, 0] > 0, "yes", "no")
TEACHER = np.maximum(INPUTS @ RANDOM.normal(size=(3, 3)) + RANDOM.normal(size=3), 0) @ RANDOM.normal(size=(3, 2))

LOSSES = {
    "squared": ({}, SMOOTH),
    "absolute": ({}, SMOOTH),
    "huber": ({"loss_parameter": 0.5}, SMOOTH),
    "quantile": ({"loss_parameter": 0.8}, SMOOTH),
    "cross-entropy": ({}, LABELS),
    "logistic": ({}, TWO_LABELS),
    "hinge": ({}, LABELS),
    "exact": ({}, TEACHER),
}
ACTIVATIONS = {
    "relu": {},
    "leaky-relu": {"activation_parameter": 0.1},
    "absolute": {},
    "clipped-relu": {"activation_parameter": 2.0},
    "hard-tanh": {},
    "maxout": {},
}
STRATEGIES = ("converged", "inexact", "extrapolated", "continuation", "reweighted", "safeguarded", "projection")
CONSTRAINTS = {
    "monotone": {"monotone": [{"input": "x1", "target": "y0", "direction": "increasing"}]},
    "outputs": {"outputs": [{"target": "y0", "lower": -0.5, "upper": 1}]},
    "weights": {"weights": [{"layer": 1, "lower": -1, "upper": 1}, {"layer": 2, "unit": 1, "source": 2, "value": 0}]},
    "norms": {"norms": [{"layer": 2, "norm": "frobenius", "at_most": 0.7}]},
    "lipschitz": {"lipschitz": 1},
    "convex": {"convex": True},
    "hidden": {"hidden": [{"at_most": 1}]},
}


def trainings():
    """Pairs of a name and a function that trains."""
    short = {"iterations": 25, "seed": 3}

    def case(name, targets, hidden, **options):
        return name, lambda: relufit.train(INPUTS, targets, hidden, **{**short, **options})

    for (loss, (options, targets)), hidden in itertools.product(LOSSES.items(), ([], [4], [3, 3])):
        if loss == "exact" and not hidden:
            continue
        yield case(f"{loss} {hidden}", targets, hidden, loss=loss, **options)
        if hidden:
            yield case(f"{loss} {hidden} polish", targets, hidden, loss=loss, polish=True, method="relaxation", **options)
    for activation, options in ACTIVATIONS.items():
        yield case(f"{activation} squared", SMOOTH, [4], activation=activation, **options)
        yield case(f"{activation} exact", TEACHER, [4], activation=activation, loss="exact", **options)
    for strategy in STRATEGIES:
        yield case(f"strategy {strategy}", SMOOTH, [4], strategy=strategy, iterations=8)
    for name, constraints in CONSTRAINTS.items():
        yield case(f"constraints {name}", SMOOTH, [4], constraints=constraints)
        yield case(f"constraints {name} deep", SMOOTH, [3, 3], constraints=constraints)
    classes = {"monotone": [{"input": "x0", "target": "class=yes", "direction": "increasing"}]}
    yield case("constraints classes", TWO_LABELS, [4], loss="logistic", constraints=classes)
    yield case("skip connections", SMOOTH, [3, 3], skip_connections=True)
    yield case("without biases", SMOOTH, [4], bias=False)
    yield case("ReLU output", np.abs(SMOOTH), [4], output_activation="relu")
    yield case("given output", np.maximum(INPUTS, 0).sum(axis=1), [3], loss="exact",
               fixed_output="ones", iterations=400)
    yield case("grid", SMOOTH, [4], weight_grid=0.125)
    yield case("zero", SMOOTH, [4], init="zero")
    yield case("threads", SMOOTH, [4], threads=2, starts=3)
    for term in ("lasso", "group_lasso", "nuclear"):
        yield case(term, SMOOTH, [4], **{term: 0.01})


def of_network(result) -> str:
    digest = hashlib.sha256()
    for weights, bias in result.model.layers:
        digest.update(np.asarray(weights).tobytes() + np.asarray(bias).tobytes())
    digest.update(np.asarray(result.model.predict(INPUTS)).tobytes())
    digest.update(str(result.status).encode())
    return digest.hexdigest()[:16]


def of_program(folder: Path):
    """The program's trainings: name and hash of the model file."""
    table = folder / "data.csv"
    rows = np.column_stack([INPUTS, SMOOTH])
    np.savetxt(table, rows, delimiter=",", header="x0,x1,x2,y0,y1", comments="", fmt="%.17g")
    for name, options in {
        "defaults": ["--hidden", "5"],
        "exact": ["--loss", "exact", "--hidden", "30"],
        "deep": ["--hidden", "3,3", "--iterations", "20"],
        "huber": ["--hidden", "5", "--loss", "huber", "--huber-delta", "0.3"],
        "starts": ["--hidden", "5", "--starts", "4", "--threads", "2", "--iterations", "30"],
        "polish": ["--hidden", "5", "--polish", "--iterations", "20", "--ridge", "0.01"],
        "test part": ["--hidden", "5", "--test-fraction", "0.25", "--iterations", "50"],
    }.items():
        model = folder / "model.json"
        command = [PROGRAM, "train", table, "--targets", "y0,y1", "--model", model, *options]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            yield name, hashlib.sha256(json.dumps(json.loads(model.read_text())["layers"]).encode()).hexdigest()[:16]
        else:
            yield name, run.stderr.strip()


def main() -> None:
    for name, train in trainings():
        try:
            print(f"{name}: {of_network(train())}")
        except (ValueError, RuntimeError) as error:
            print(f"{name}: {error}")
        sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        for name, digest in of_program(Path(folder)):
            print(f"program, {name}: {digest}")


if __name__ == "__main__":
    main()
