"""The data sets: inputs (samples, inputs) with categories one-hot, and targets or labels (samples,).

Most are those of "An Introduction to Statistical Learning", in the package ISLP of PyPI (installed without its
dependencies: pip install --no-deps ISLP); the others come with scikit-learn.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pandas
from sklearn import datasets

Set = tuple[np.ndarray, np.ndarray]

# File: target, columns that are names, copies of the target, or of no use.
REGRESSION = {
    "Auto": ("mpg", ["name"]),
    "Boston": ("medv", []),
    "Hitters": ("Salary", ["Names"]),
    "College": ("Outstate", []),
    "Credit": ("Balance", ["ID"]),
    "Carseats": ("Sales", []),
    "Wage": ("wage", ["logwage", "region"]),
    "Bikeshare": ("bikers", ["casual", "registered"]),
    "BrainCancer": ("time", []),
}
CLASSIFICATION = {
    "OJ": ("Purchase", []),
    "Smarket": ("Direction", ["Today", "Year"]),
    "Weekly": ("Direction", ["Today", "Year"]),
    "Default": ("default", []),
    "Caravan": ("Purchase", []),
}


def _table(name: str, target: str, dropped: list[str]) -> tuple[pandas.DataFrame, pandas.Series]:
    folder = Path(str(importlib.metadata.distribution("ISLP").locate_file("ISLP/data")))
    table = pandas.read_csv(folder / f"{name}.csv", na_values="?")
    unnamed = [column for column in table.columns if column.startswith("Unnamed")]
    table = table.drop(columns=unnamed + dropped, errors="ignore").dropna()
    inputs = pandas.get_dummies(table.drop(columns=target), drop_first=True)
    return inputs, table[target]


def regression() -> dict[str, Set]:
    sets = {"diabetes": datasets.load_diabetes(return_X_y=True)}
    for name, (target, dropped) in REGRESSION.items():
        inputs, targets = _table(name, target, dropped)
        sets[name] = inputs.to_numpy(float), targets.to_numpy(float)
    for i, make in enumerate([datasets.make_friedman1, datasets.make_friedman2, datasets.make_friedman3], 1):
        inputs, targets = make(500, random_state=i)
        noise = 0.3 * targets.std() * np.random.default_rng(i).standard_normal(500)
        sets[f"Friedman {i}"] = inputs, targets + noise
    return sets


def classification() -> dict[str, Set]:
    sets = {}
    for name in ["iris", "wine", "breast_cancer", "digits"]:
        inputs, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
        sets[name] = inputs, labels.astype(str)
    for name, (target, dropped) in CLASSIFICATION.items():
        inputs, labels = _table(name, target, dropped)
        sets[name] = inputs.to_numpy(float), labels.to_numpy(str)
    return sets
