"""How far relufit's networks are from the best of any width, by certificates (docs/certificates.md).

    python bench/certificate.py [--sets NAME ...] [--ridge R] [--seconds S] [--json FILE]

Trains networks of 5, 10 and 20 units with one ridge on every data set, certifies each, then adds missing units to the
second ("tightened") and certifies that. Needs ISLP (bench/requirements.txt) for most sets.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from sklearn import datasets

import relufit

sys.path.insert(0, str(Path(__file__).resolve().parent))

WIDTHS = (5, 10, 20)
Set = tuple[np.ndarray, np.ndarray]


def one_hot(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == np.unique(labels)).astype(float)


def spiral(samples: int, classes: int, seed: int) -> Set:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(classes), samples // classes)
    radius = np.tile(np.linspace(0.1, 1, samples // classes), classes)
    angle = 4 * (label + radius) + 0.2 * rng.standard_normal(len(label))
    return np.column_stack([radius * np.sin(angle), radius * np.cos(angle)]), one_hot(label)


def small_sets() -> dict[str, Set]:
    """Sets of few inputs, or a few inputs of larger ones; classes as targets 0 and 1."""
    rng = np.random.default_rng(0)
    iris, wine = datasets.load_iris(), datasets.load_wine()
    cancer, diabetes = datasets.load_breast_cancer(), datasets.load_diabetes()
    linnerud = datasets.load_linnerud()
    half = np.arange(0, len(iris.data), 2)
    return {
        "random 25": (rng.standard_normal((25, 2)), rng.standard_normal((25, 5))),
        "spiral 60": spiral(60, 3, seed=1),
        "iris species": (iris.data[half], one_hot(iris.target[half])),
        "iris petals": (iris.data[:, :3], iris.data[:, 3]),
        "linnerud": (linnerud.data, linnerud.target),
        "wine, 3 inputs": (wine.data[:, [0, 6, 12]], one_hot(wine.target)),
        "wine, 6 inputs": (wine.data[:, [0, 6, 9, 10, 11, 12]], one_hot(wine.target)),
        "cancer, 4 inputs": (cancer.data[:, [20, 21, 24, 27]], cancer.target),
        "diabetes, 2 inputs": (diabetes.data[:, [2, 8]], diabetes.target),
        "diabetes, 4 inputs": (diabetes.data[:, [2, 3, 6, 8]], diabetes.target),
    }


def published_shapes() -> dict[str, Set]:
    """As many samples, inputs and classes as further problems of SDPNN-IW (Prakhya, Birdal and Yurtsever, ICLR 2025)
    have; its random, spiral and iris problems are among the small sets."""

    def two_classes(samples: int, inputs: int) -> Set:
        values, labels = datasets.make_classification(
            samples, inputs, n_informative=min(inputs, 8), n_redundant=0, random_state=0
        )
        return values, one_hot(labels)

    return {
        "as bank notes": two_classes(685, 4),
        "as Pima Indians": two_classes(383, 8),
        "as ionosphere": two_classes(175, 34),
    }


def bundled_sets() -> dict[str, Set]:
    return small_sets() | published_shapes()


def all_sets() -> dict[str, Set]:
    from prediction.sets import regression

    return bundled_sets() | regression()


def run_set(data: Set, ridge: float, seconds: float) -> dict[str, float | str]:
    inputs, targets = data[0], data[1] if data[1].ndim == 2 else data[1][:, None]
    inputs = inputs[:, inputs.std(axis=0) > 0]
    result: dict[str, float | str] = {"samples": len(inputs), "inputs": inputs.shape[1], "outputs": targets.shape[1]}
    for width in WIDTHS:
        model = relufit.train(inputs, targets, [width], ridge=ridge).model
        certificate = relufit.certify(model, inputs, targets, time_limit=seconds)
        result |= {f"objective {width}": certificate.objective, f"gap {width}": certificate.gap}
        if width == WIDTHS[1]:
            middle = model
    tight = relufit.certify(middle, inputs, targets, time_limit=2 * seconds, tighten=seconds)
    return result | {
        "objective": tight.objective,
        "lower_bound": tight.lower_bound,
        "gap": tight.gap,
        "units": WIDTHS[1] + tight.units_added,
        "unit_lower": tight.unit_lower,
        "unit_upper": tight.unit_upper,
        "status": tight.status,
        "cells": tight.cells,
        "seconds": tight.seconds,
    }


def row(name: str, r: dict[str, float | str]) -> str:
    gaps = " | ".join(f"{100 * r[f'gap {width}']:.2f}" for width in WIDTHS)
    end = "" if r["status"] == "complete" else f" ({r['status']})"
    return (
        f"| {name} | {r['samples']} x {r['inputs']}, {r['outputs']} | {gaps} | {100 * r['gap']:.2f}{end} "
        f"| {r['units']} | {r['unit_lower']:.3f} to {r['unit_upper']:.3f} | {r['seconds']:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", help="names; default: all")
    parser.add_argument("--ridge", type=float, default=0.03)
    parser.add_argument("--seconds", type=float, default=5, help="for a bound; twice that for the last, tightened one")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bundled = bundled_sets()
    chosen = bundled if set(arguments.sets or ["?"]) <= set(bundled) else all_sets()
    widths = " | ".join(f"{width} units" for width in WIDTHS)
    print(f"| data | samples x inputs, outputs | {widths} | tightened, % | units | largest unit / ridge | s |")
    print("|---" * (6 + len(WIDTHS)) + "|")
    results = {}
    for name, data in chosen.items():
        if arguments.sets and name not in arguments.sets:
            continue
        results[name] = run_set(data, arguments.ridge, arguments.seconds)
        print(row(name, results[name]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
