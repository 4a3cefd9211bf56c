"""bench/shape: falls are found where there are some, settings are chosen without held-out rows, tables say what ran."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightgbm")
pytest.importorskip("xgboost")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from shape import __main__ as shape
from shape import models, sets
from shape.violations import find_falls
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression


def task(classes: bool) -> sets.Task:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(150, 3))
    values = 2 * inputs[:, 0] - inputs[:, 1] + rng.normal(size=150)
    return sets.Task("Heart" if classes else "AutoMPG", inputs, (values > 0).astype(int) if classes else values,
                     (1, -1, 0), classes)  # fmt: skip


def test_falls_are_found_and_measured() -> None:
    inputs = np.random.default_rng(1).uniform(-1, 1, size=(500, 2))
    dip = find_falls(lambda x: np.where((x[:, 0] > 0.2) & (x[:, 0] < 0.25), x[:, 0] - 0.5, x[:, 0]), inputs, (1, 0), 0)
    assert 0 < dip.share < 0.1
    assert 0.2 < dip.deepest < 0.26  # of a range of 2, at most 0.5
    for directions in ((1, 0), (0, -1), (1, -1), (0, 0)):
        clean = find_falls(lambda x: np.maximum(x[:, 0], 0) - x[:, 1] ** 3, inputs, directions, 0)
        assert clean.share == clean.deepest == 0
    narrow = find_falls(lambda x: x[:, 1] + 5 * np.exp(-5000 * (x[:, 0] - 0.3) ** 2), inputs, (1, 0), 0)
    assert narrow.deepest > 0.9 * 5 / 7  # the walk climbs to the top of the spike, which no random pair meets


def test_the_setting_is_chosen_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    data = task(classes=False)
    seen = []
    fit = LinearRegression.fit
    monkeypatch.setattr(LinearRegression, "fit", lambda self, X, y: (seen.append(len(X)), fit(self, X, y))[1])
    chosen = models.Chosen({"mean": DummyRegressor(), "line": LinearRegression()}, False, 0)
    chosen.fit(data.inputs[:120], data.targets[:120])
    assert chosen.setting_ == "line" and seen == [96] * 5 + [120]
    assert chosen.scores_["line"] > chosen.scores_["mean"]


@pytest.mark.parametrize("classes", [False, True])
def test_a_task_in_a_table(classes: bool) -> None:
    data = task(classes)
    # HistGradientBoosting has threads that wait for each other where processors are busy; the networks take long.
    names = [name for name in models.CONTESTANTS if name not in ("HistGradientBoosting", "Lipschitz monotone network")]
    results = shape.run_task(data, names, splits=2)
    rows = shape.table(classes, results)
    assert len(rows) == 2 + len(names) and len({row.count("|") for row in rows}) == 1
    for name, runs in results.items():
        assert len(runs) == 2 and all(run["falls"] == run["deepest"] == 0 for run in runs)
        mean = np.mean([run["error"] for run in runs])
        assert mean < (30 if classes else 2.5)
        assert any(row.startswith(f"| {name} | 2 | {mean:.2f} ± ") for row in rows)
    text = shape.report({data.name: results})
    assert f"## {data.name}" in text and "fixed split" in text


def test_data_are_read_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "_of_package", lambda: None)
    assert sets.tasks(tmp_path) == []
    rows = np.arange(28.0).reshape(2, 14) % 2
    for part in ("train", "test"):
        np.savetxt(tmp_path / f"{part}_heart.csv", rows, delimiter=",")
    (heart,) = sets.tasks(tmp_path)
    assert heart.name == "Heart" and heart.inputs.shape == (4, 13) and heart.targets.tolist() == [1, 1, 1, 1]
    assert heart.directions == (0, 0, 0, 1, 1) + 8 * (0,)
