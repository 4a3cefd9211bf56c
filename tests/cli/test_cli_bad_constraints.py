"""Constraints that are refused: one line that says where, exit code 2, and no model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_tools import Program

TRAIN = ("--targets", "progression", "--hidden", 6, "--model", "model.json")

BAD = {
    "not JSON": ("{", "not JSON"),
    "empty": ("{}", "no constraint"),
    "unknown member": ('{"bounds": []}', "'bounds'", "weights, linear, monotone"),
    "no such layer": ('{"weights": [{"layer": 3, "upper": 1}]}', "weights[0].layer: 3", "1 to 2"),
    "no such unit": ('{"weights": [{"layer": 1, "unit": 7, "upper": 1}]}', "weights[0].unit: 7", "1 to 6"),
    "no bound": ('{"weights": [{"layer": 1}]}', "weights[0]", "lower, upper or value"),
    "text for a number": ('{"weights": [{"layer": 1, "upper": "1"}]}', "weights[0].upper", "a number"),
    "value and bound": ('{"weights": [{"layer": 1, "value": 0, "upper": 1}]}', "either value"),
    "bounds crossed": ('{"weights": [{"layer": 1, "lower": 2, "upper": 1}]}', "weights[0]", "lower 2 above upper 1"),
    "bounds contradict": (
        '{"weights": [{"layer": 2, "lower": 1}, {"layer": 2, "unit": 1, "upper": 0}]}',
        "weights[0] contradicts weights[1]",
    ),
    "bounds against a norm": (
        '{"weights": [{"layer": 2, "lower": 1}], "norms": [{"layer": 2, "norm": "frobenius", "at_most": 2}]}',
        "contradict",
    ),
    "convex against a bound": ('{"convex": true, "weights": [{"layer": 2, "upper": -1}]}', "convex contradicts weights[0]"),
    "no such input": (
        '{"monotone": [{"input": "x", "target": "progression", "direction": "increasing"}]}', "'x' is not an input",
    ),
    "direction": ('{"monotone": [{"input": "bmi", "target": "progression", "direction": "up"}]}', "increasing or"),
    "both directions": (
        '{"monotone": [{"input": "bmi", "target": "progression", "direction": "increasing"},'
        ' {"input": "bmi", "target": "progression", "direction": "decreasing"}]}',
        "monotone[1]", "contradicts",
    ),
    "unknown norm": ('{"norms": [{"layer": 1, "norm": "max", "at_most": 1}]}', "norms[0].norm", "spectral"),
    "negative radius": ('{"norms": [{"layer": 1, "norm": "rows", "at_most": -1}]}', "norms[0].at_most", ">= 0"),
    "sum of nothing": ('{"linear": [{"layer": 1, "sum": [], "value": 0}]}', "linear[0].sum", "at least one weight"),
    "sum with a strange unit": (
        '{"linear": [{"layer": 1, "sum": [{"unit": 9, "source": 1}], "value": 0}]}', "linear[0].sum[0].unit: 9", "1 to 6",
    ),
    "weight twice": (
        '{"linear": [{"layer": 2, "sum": [{"unit": 1, "source": 1}, {"unit": 1, "source": 1}], "value": 0}]}',
        "linear[0].sum[1]", "twice",
    ),
    "factor 0": (
        '{"linear": [{"layer": 2, "sum": [{"unit": 1, "source": 1, "factor": 0}], "value": 0}]}',
        "linear[0].sum[0].factor", "other than 0",
    ),
    "sum without bound": ('{"linear": [{"layer": 2, "sum": [{"unit": 1, "source": 1}]}]}', "lower, upper or value"),
    "bounds against a sum": (
        '{"weights": [{"layer": 2, "lower": 1}], "linear": [{"layer": 2, "sum": [{"unit": 1, "source": 1}], "upper": 0}]}',
        "contradict",
    ),
    "no such target": ('{"outputs": [{"target": "y", "upper": 1}]}', "outputs[0].target: 'y'", "not a target"),
    "output without bound": ('{"outputs": [{"target": "progression"}]}', "outputs[0]", "lower, upper or both"),
    "target and sum": ('{"outputs": [{"target": "progression", "sum": [], "lower": 1}]}', "outputs[0]", "one of them"),
    "empty sum": ('{"outputs": [{"sum": [], "lower": 1}]}', "outputs[0].sum", "at least one target"),
    "target twice": (
        '{"outputs": [{"sum": [{"target": "progression"}, {"target": "progression"}], "lower": 1}]}',
        "outputs[0].sum: 'progression' is named twice",
    ),
    "factor 0 of a target": (
        '{"outputs": [{"sum": [{"target": "progression", "factor": 0}], "lower": 1}]}', "factor", "other than 0",
    ),
    "sum crossed": (
        '{"outputs": [{"sum": [{"target": "progression", "factor": 2}], "lower": 2, "upper": 1}]}', "2 progression at least 2",
    ),
    "outputs crossed": ('{"outputs": [{"target": "progression", "lower": 2, "upper": 1}]}', "outputs[0] contradicts"),
    "points missing": ('{"outputs": [{"target": "progression", "points": "no.csv", "lower": 2}]}', "no.csv"),
    "column of samples": ('{"outputs": [{"target": "progression", "lower": "least"}]}', "outputs[0].lower", "a number"),
    "points without inputs": (
        '{"outputs": [{"target": "progression", "points": "few.csv", "lower": 2}]}', "few.csv", "no column 'age'",
    ),
    "column not in the points": (
        '{"outputs": [{"target": "progression", "points": "few.csv", "lower": "z"}]}', "outputs[0].lower", "column",
    ),
    "no such hidden layer": ('{"hidden": [{"layer": 2, "at_most": 1}]}', "hidden[0].layer: 2", "1 hidden layers"),
    "hidden at most 0": ('{"hidden": [{"at_most": 0}]}', "hidden[0].at_most", "> 0"),
    "hidden without bound": ('{"hidden": [{"layer": 1}]}', "hidden[0]", "at_most"),
    "lipschitz 0": ('{"lipschitz": 0}', "lipschitz", "> 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_constraints(relufit: Program, diabetes: Path, name: str) -> None:
    text, *expected = BAD[name]
    (relufit.folder / "bad.json").write_text(text)
    (relufit.folder / "few.csv").write_text("a,b\n1,2\n")
    completed = relufit.run("train", diabetes, *TRAIN, "--constraints", "bad.json")
    assert completed.returncode == 2
    assert completed.stderr.count("\n") == 1
    assert all(part in completed.stderr for part in expected), completed.stderr
    assert not (relufit.folder / "model.json").exists()


@pytest.mark.parametrize(
    "activation, constraints",
    [
        ("absolute", {"monotone": [{"input": "bmi", "target": "progression", "direction": "increasing"}]}),
        ("hard-tanh", {"convex": True}),
        ("clipped-relu", {"hidden": [{"at_most": 1}]}),
    ],
)
def test_constraints_that_an_activation_cannot_keep(
    relufit: Program, diabetes: Path, activation: str, constraints: dict
) -> None:
    (relufit.folder / "c.json").write_text(json.dumps(constraints))
    completed = relufit.run("train", diabetes, *TRAIN, "--activation", activation, "--constraints", "c.json")
    assert completed.returncode == 2 and f"with the activation {activation}, expected" in completed.stderr
    assert not (relufit.folder / "model.json").exists()


def test_constraints_need_the_relaxation(relufit: Program, teacher_csv: Path) -> None:
    (relufit.folder / "c.json").write_text('{"convex": true}')
    completed = relufit.run(
        "train", teacher_csv, "--targets", "y0,y1", "--hidden", 3, "--loss", "exact", "--method", "search",
        "--constraints", "c.json", "--model", "model.json",
    )  # fmt: skip
    assert completed.returncode == 2 and "--constraints" in completed.stderr
