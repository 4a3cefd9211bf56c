"""bench/prediction: every contestant is scored on the same held-out samples, and the summary ranks them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightgbm")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from prediction import __main__ as prediction  # noqa: E402
from prediction import models  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402


def test_the_contest_of_one_set_each() -> None:
    for task, contestants, data in (
        ("regression", models.regressors(), load_diabetes(return_X_y=True)),
        ("classification", models.classifiers(), load_iris(return_X_y=True)),
    ):
        some = {name: contestants[name] for name in ("relufit", list(contestants)[-1])}
        results = prediction.run_set(task, data, some, repeats=1)
        for measures in results.values():
            assert all(len(values) == prediction.FOLDS for values in measures.values())
            assert min(measures["seconds"]) > 0
        mean = np.mean(results["relufit"]["score"])
        assert mean > 0.4 if task == "regression" else mean < 0.15
        assert prediction.line(task, results["relufit"]).startswith(f"{mean:.3f} ± ")


def test_summary_ranks_the_largest_r2_and_the_smallest_loss_first() -> None:
    scores = {"a": {"score": [0.9, 0.7], "seconds": [1, 1]}, "b": {"score": [0.5, 0.5], "seconds": [4, 4]}}
    rows = prediction.summary("regression", {"set": scores}).splitlines()
    assert rows[2].split("|")[3:6] == [" 1.00 ", " 0.000 ", " 1.00 "]
    assert rows[3].split("|")[3:6] == [" 2.00 ", " 0.300 ", " 4.00 "]
    assert prediction.summary("classification", {"set": scores}).splitlines()[3].split("|")[3] == " 1.00 "
