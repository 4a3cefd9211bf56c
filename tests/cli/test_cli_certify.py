"""The command certify: its report, its JSON, the network it writes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from cli_tools import Program, write_csv


def prepare(relufit: Program) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(30, 2))
    targets = np.abs(inputs[:, 0]) + 0.2 * rng.normal(size=30)
    write_csv(relufit.folder / "data.csv", ["a", "b", "y", "w"], np.column_stack([inputs, targets, np.ones(30)]))
    options = ["--targets", "y", "--inputs", "a,b", "--hidden", 2, "--ridge", 0.05]
    relufit("train", "data.csv", *options, "--model", "m.json")


def test_certificate_of_a_trained_model(relufit: Program) -> None:
    prepare(relufit)
    plain = relufit.json("certify", "m.json", "data.csv")
    assert 0 < plain["lower_bound"] <= plain["objective"] and plain["ridge"] == 0.05
    tight = relufit.json("certify", "m.json", "data.csv", "--tighten", 60, "--model", "better.json")
    assert tight["status"] == "complete" and tight["gap"] < 0.02 and tight["model"] == "better.json"
    assert tight["objective"] <= plain["objective"]
    again = relufit.json("certify", "better.json", "data.csv", "--sample-weights", "w")
    assert abs(again["objective"] - tight["objective"]) <= 1e-12 * tight["objective"]
    text = relufit("certify", "m.json", "data.csv")
    assert "no network of one hidden layer, of any width, is below" in text


def test_sample_weights_of_classes(relufit: Program) -> None:
    """The objective is that of the file in which every row stands as often as its weight says."""
    rng = np.random.default_rng(1)
    inputs, weights = rng.normal(size=(20, 2)), rng.integers(1, 4, 20)
    rows = np.column_stack([inputs, inputs[:, 0] + rng.normal(size=20) > 0, weights]).astype(float)
    write_csv(relufit.folder / "weighted.csv", ["a", "b", "y", "w"], rows)
    write_csv(relufit.folder / "repeated.csv", ["a", "b", "y", "w"], np.repeat(rows, weights, axis=0))
    options = ["--targets", "y", "--inputs", "a,b", "--task", "classify", "--loss", "logistic", "--hidden", 2]
    relufit("train", "weighted.csv", *options, "--ridge", 0.05, "--model", "m.json")
    # The ridge counts rows: the same in all is less per row where there are more.
    options = ["--sample-weights", "w", "--ridge", 0.05, "--time-limit", 1]
    found = relufit.json("certify", "m.json", "weighted.csv", *options)
    ridge = 0.05 * len(rows) / weights.sum()
    repeated = relufit.json("certify", "m.json", "repeated.csv", "--ridge", ridge, "--time-limit", 1)
    assert abs(found["objective"] - repeated["objective"]) <= 1e-9 * repeated["objective"]


def test_a_page_with_the_certificate(relufit: Program) -> None:
    pytest.importorskip("jinja2")
    prepare(relufit)
    found = relufit.json("certify", "m.json", "data.csv", "--time-limit", 1, "--report", "c.html")
    page = (relufit.folder / "c.html").read_text(encoding="utf-8")
    assert "<h2>Certificate</h2>" in page and "<h2>Training</h2>" not in page
    assert all(f'value="{found[name]}"' in page for name in ("objective", "lower_bound", "gap"))
    refused = relufit.run("certify", "m.json", "data.csv", "--report", "m.json")
    assert refused.returncode == 2 and "m.json: named twice" in refused.stderr


def test_bad_input(relufit: Program) -> None:
    prepare(relufit)
    for arguments, message in [
        (["--ridge", 0], "--ridge: '0', expected a number > 0"),
        (["--time-limit", -1], "--time-limit: '-1', expected a number >= 0"),
        (["--model", "data.csv"], "data.csv"),
        (["--sample-weights", "none"], "none"),
    ]:
        completed = relufit.run("certify", "m.json", "data.csv", *arguments)
        assert completed.returncode == 2 and completed.stdout == ""
        assert completed.stderr.count("\n") == 1 and message in completed.stderr
    options = ["--targets", "y", "--hidden", 2, "--loss", "exact", "--iterations", 1]
    relufit("train", "data.csv", *options, "--model", "e.json")
    completed = relufit.run("certify", "e.json", "data.csv")
    assert completed.returncode == 2
    assert completed.stderr == "relufit: e.json: loss exact, expected squared or logistic\n"
