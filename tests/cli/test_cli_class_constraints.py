"""Constraints that name a class mean its probability: recomputed here from the model file alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, forward, load_model

UP, DOWN = "increasing", "decreasing"


def probabilities(model: dict, table: dict[str, np.ndarray]) -> np.ndarray:
    """(samples, classes)"""
    scores = forward(model, table)
    if model["classification"]["link"] == "logistic":
        scores = np.column_stack([np.zeros(len(scores)), scores])
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def write_labels(path: Path, columns: dict[str, np.ndarray], label: str, labels: list[str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, label])
        writer.writerows([*(float(value) for value in row), name] for *row, name in zip(*columns.values(), labels))


@pytest.fixture
def ill(relufit: Program) -> Path:
    """The illness falls with the dose."""
    path = relufit.folder / "ill.csv"
    labels = ["yes" if (i * 7) % 40 >= i else "no" for i in range(40)]
    write_labels(path, {"dose": np.arange(40) / 4}, "ill", labels)
    return path


def kinds(count: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Classes a, b, .. along a falling and a rising direction, with noise."""
    random = np.random.default_rng(5)
    inputs = random.standard_normal((240, 3))
    scores = inputs @ random.standard_normal((3, count)) + 0.7 * random.standard_normal((240, count))
    labels = ["abcdef"[i] for i in scores.argmax(axis=1)]
    return dict(zip("uvw", inputs.T)), labels


def demands(*triples: tuple[str, str, str]) -> dict:
    return {"monotone": [{"input": i, "target": t, "direction": d} for i, t, d in triples]}


def train(relufit: Program, data: Path, label: str, constraints: dict, *options: object) -> tuple[dict, list[dict]]:
    (relufit.folder / "c.json").write_text(json.dumps(constraints))
    relufit(
        "train", data, "--task", "classify", "--targets", label, "--constraints", "c.json", "--model", "m.json", *options
    )
    checks = relufit.json("evaluate", "m.json", data, "--constraints", "c.json")["constraints"]
    assert all(check["holds"] and check["slack"] >= 0 for check in checks)
    return load_model(relufit.folder / "m.json"), checks


def refusal(relufit: Program, data: Path, label: str, constraints: dict, *options: object) -> str:
    (relufit.folder / "c.json").write_text(json.dumps(constraints))
    completed = relufit.run(
        "train", data, "--task", "classify", "--targets", label, "--constraints", "c.json", "--model", "m.json",
        "--hidden", 4, *options,
    )  # fmt: skip
    assert completed.returncode == 2 and completed.stderr.count("\n") == 1, completed.stderr
    assert not (relufit.folder / "m.json").exists()
    return completed.stderr


def assert_monotone(model: dict, constraints: dict, spread: float = 3) -> float:
    """Along a fine grid from the first point, and from random points; returns how far probabilities change at most."""
    random = np.random.default_rng(0)
    names = model["input_names"]
    scale, offset = (np.array(model["input_scaling"][name]) for name in ("scale", "offset"))
    points = offset + spread * scale * random.standard_normal((20_000, len(names)))
    label, classes = model["classification"]["label"], model["classification"]["classes"]
    largest = 0.0
    for demand in constraints["monotone"]:
        column = classes.index(demand["target"].removeprefix(f"{label}="))
        sign = 1 if demand["direction"] == UP else -1
        at = names.index(demand["input"])
        moved = points.copy()
        moved[:, at] += 3 * scale[at] * random.random(len(points))
        grid = np.tile(points[0], (4001, 1))
        grid[:, at] = offset[at] + scale[at] * np.linspace(-5, 5, 4001)
        after, before, along = (probabilities(model, dict(zip(names, p.T)))[:, column] for p in (moved, points, grid))
        assert (sign * (after - before)).min() >= -1e-12
        assert (sign * np.diff(along)).min() >= -1e-12
        largest = max(largest, (sign * (after - before)).max())
    return largest


def test_a_probability_that_must_rise_rises(relufit: Program, ill: Path) -> None:
    """Against data that fall: the best such network is nearly constant, and its score alone would not have to be."""
    rising = demands(("dose", "ill=yes", UP))
    model, checks = train(relufit, ill, "ill", rising, "--hidden", 2)
    assert [check["name"] for check in checks] == [f"monotone[0]: P(ill=yes) {UP} in dose"]
    assert_monotone(model, rising)
    (relufit.folder / "q.csv").write_text("dose\n" + "\n".join(f"{x / 50}" for x in range(-100, 700)) + "\n")
    relufit("predict", "m.json", "q.csv", "--out", "p.csv")
    with (relufit.folder / "p.csv").open(newline="") as file:
        given = np.array([float(row["p_yes"]) for row in csv.DictReader(file)])
    assert np.diff(given).min() >= -1e-12
    falling, _ = train(relufit, ill, "ill", demands(("dose", "ill=yes", DOWN)), "--hidden", 2)
    assert assert_monotone(falling, demands(("dose", "ill=yes", DOWN))) > 0.3


def test_the_score_of_a_class_is_not_its_probability(relufit: Program, ill: Path) -> None:
    """A network whose score of the class rises while the other's rises faster is no proof."""
    model, _ = train(relufit, ill, "ill", demands(("dose", "ill=yes", UP)), "--hidden", 2)
    for layer, weights in zip(model["layers"], [[[1.0], [1.0]], [[2.0, 2.0], [1.0, 1.0]]]):
        layer["weights"], layer["bias"] = weights, [1.0, 1.0]
    (relufit.folder / "m.json").write_text(json.dumps(model))
    (check,) = relufit.json("evaluate", "m.json", ill, "--constraints", "c.json")["constraints"]
    assert not check["holds"] and check["slack"] < -0.3
    grid = {"dose": np.linspace(0, 10, 50)}
    assert np.diff(forward(model, grid)[:, 1]).min() >= 0 > np.diff(probabilities(model, grid)[:, 1]).min()


@pytest.mark.parametrize("options", [(), ("--no-polish",), ("--skip-connections",), ("--activation", "hard-tanh")])
def test_several_classes(relufit: Program, options: tuple) -> None:
    columns, labels = kinds(4)
    write_labels(relufit.folder / "k.csv", columns, "kind", labels)
    wanted = demands(("u", "kind=b", UP), ("w", "kind=b", DOWN))
    model, _ = train(relufit, relufit.folder / "k.csv", "kind", wanted, "--hidden", "6", *options)
    assert assert_monotone(model, wanted) > 0.1


@pytest.mark.parametrize(
    "wanted",
    [
        demands(("u", "kind=a", UP), ("u", "kind=c", DOWN)),
        demands(("u", "kind=a", UP), ("v", "kind=c", UP)),
        demands(("v", "kind=c", DOWN), ("u", "kind=a", UP), ("u", "kind=c", DOWN), ("w", "kind=a", DOWN)),
    ],
)
@pytest.mark.parametrize("hidden", ["6", "5,4", "none"])
def test_two_of_three_classes(relufit: Program, wanted: dict, hidden: str) -> None:
    columns, labels = kinds(3)
    write_labels(relufit.folder / "k.csv", columns, "kind", labels)
    model, checks = train(relufit, relufit.folder / "k.csv", "kind", wanted, "--hidden", hidden)
    assert [check["name"] for check in checks] == [
        f"monotone[{number}]: P({demand['target']}) {demand['direction']} in {demand['input']}"
        for number, demand in enumerate(wanted["monotone"])
    ]
    assert_monotone(model, wanted)


def test_the_same_proof_whatever_is_added_to_all_scores(relufit: Program) -> None:
    columns, labels = kinds(3)
    write_labels(relufit.folder / "k.csv", columns, "kind", labels)
    wanted = demands(("u", "kind=a", UP), ("v", "kind=c", UP))
    model, checks = train(relufit, relufit.folder / "k.csv", "kind", wanted, "--hidden", 5)
    added = np.random.default_rng(1).integers(-8, 8, 5)
    last = model["layers"][-1]
    last["weights"] = (np.array(last["weights"]) + added).tolist()
    (relufit.folder / "m.json").write_text(json.dumps(model))
    again = relufit.json("evaluate", "m.json", relufit.folder / "k.csv", "--constraints", "c.json")["constraints"]
    for check, before in zip(again, checks, strict=True):
        assert check["slack"] >= -1e-14 and abs(check["slack"] - before["slack"]) <= 1e-14, "to rounding of the sum"


CONTRADICTIONS = {
    "both directions": (2, [("dose", "ill=yes", UP), ("dose", "ill=yes", DOWN)], "monotone[1]", "contradicts"),
    "all of two": (2, [("dose", "ill=yes", UP), ("dose", "ill=no", UP)], "monotone[1]", "ill=no in dose contradicts"),
    "two rise in one input": (3, [("u", "kind=a", UP), ("u", "kind=b", UP)], "monotone[1]", "kind=b in u contradicts"),
    "three classes": (
        3, [("u", "kind=a", UP), ("v", "kind=b", UP), ("w", "kind=c", UP)], "monotone[2]", "kind=c in w contradicts",
    ),
    "no such class": (2, [("dose", "ill=maybe", UP)], "'ill=maybe' is not a target"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_demands_that_contradict_each_other(relufit: Program, ill: Path, name: str) -> None:
    count, triples, *expected = CONTRADICTIONS[name]
    data, label = ill, "ill"
    if count == 3:
        columns, labels = kinds(3)
        data, label = relufit.folder / "k.csv", "kind"
        write_labels(data, columns, label, labels)
    message = refusal(relufit, data, label, demands(*triples))
    assert all(part in message for part in expected), message


@pytest.mark.parametrize("target, direction", [("ill=yes", DOWN), ("ill=no", UP)])
@pytest.mark.parametrize("loss", ["logistic", "hinge", "cross-entropy"])
def test_either_of_two_classes_can_be_named(
    relufit: Program, ill: Path, loss: str, target: str, direction: str
) -> None:
    wanted = demands(("dose", target, direction))
    model, checks = train(relufit, ill, "ill", wanted, "--hidden", 3, "--loss", loss)
    name = f"margin of {target}" if loss == "hinge" else f"P({target})"
    assert checks[0]["name"] == f"monotone[0]: {name} {direction} in dose"
    if loss != "hinge":
        assert assert_monotone(model, wanted) > 0.3
    else:
        scores = forward(model, {"dose": np.linspace(-3, 13, 2001)})[:, 0]
        assert np.diff(scores).max() <= 1e-12


def test_hinge_keeps_a_class_once_it_is_given(relufit: Program) -> None:
    columns, labels = kinds(3)
    write_labels(relufit.folder / "k.csv", columns, "kind", labels)
    wanted = demands(("u", "kind=b", UP))
    model, _ = train(relufit, relufit.folder / "k.csv", "kind", wanted, "--hidden", 5, "--loss", "hinge")
    random = np.random.default_rng(3)
    points = 3 * random.standard_normal((50_000, 3))
    moved = points + np.array([1, 0, 0]) * random.random((len(points), 1)) * 3
    before, after = (forward(model, dict(zip("uvw", p.T))) for p in (points, moved))
    margins = [scores[:, [1]] - scores[:, [0, 2]] for scores in (before, after)]
    assert (margins[1] - margins[0]).min() >= -1e-12


@pytest.mark.parametrize("loss", ["logistic", "cross-entropy"])
@pytest.mark.parametrize("target", ["ill=yes", "ill=no"])
def test_bounds_on_a_probability(relufit: Program, ill: Path, loss: str, target: str) -> None:
    """At the samples, and at points far away, tighter; as they are computed here, not to a tolerance."""
    (relufit.folder / "far.csv").write_text("dose,least\n-20,0.4\n30,0.25\n")
    bounds = {
        "outputs": [
            {"target": target, "lower": 0.2, "upper": 0.7},
            {"target": target, "points": "far.csv", "lower": "least", "upper": 0.6},
        ]
    }
    model, checks = train(relufit, ill, "ill", bounds, "--hidden", 4, "--loss", loss)
    assert checks[0]["name"] == f"outputs[0]: P({target}) at 40 samples"
    column = ["ill=no", "ill=yes"].index(target)
    doses = {"dose": np.arange(40) / 4}
    inside = probabilities(model, doses)[:, column]
    assert 0.2 <= inside.min() and inside.max() <= 0.7
    far = probabilities(model, {"dose": np.array([-20.0, 30])})[:, column]
    assert np.all(far >= [0.4, 0.25]) and far.max() <= 0.6
    assert min(check["slack"] for check in checks) < 1e-6, "they bind"


def test_a_class_of_three_that_stays_likely(relufit: Program) -> None:
    columns, labels = kinds(3)
    write_labels(relufit.folder / "k.csv", columns, "kind", labels)
    bounds = {"outputs": [{"target": "kind=b", "lower": 0.1}]}
    model, _ = train(relufit, relufit.folder / "k.csv", "kind", bounds, "--hidden", 5)
    inside = probabilities(model, columns)[:, 1]
    assert 0.1 <= inside.min() < 0.2
    assert np.std(inside) > 0.1


def test_bounds_on_log_odds_are_sums(relufit: Program, ill: Path) -> None:
    odds = {"outputs": [{"sum": [{"target": "ill=yes"}, {"target": "ill=no", "factor": -1}], "lower": -1, "upper": 0.5}]}
    model, checks = train(relufit, ill, "ill", odds, "--hidden", 3)
    scores = forward(model, {"dose": np.arange(40) / 4})
    difference = scores[:, 1] - scores[:, 0]
    assert -1 <= difference.min() and difference.max() <= 0.5
    assert checks[0]["name"] == "outputs[0]: ill=yes - ill=no at 40 samples"


REFUSED = {
    "above 1": ([{"target": "ill=yes", "lower": 1.5}], "outputs[0].lower: 1.5 for a probability"),
    "negative": ([{"target": "ill=yes", "lower": -0.5}], "outputs[0].lower: -0.5 for a probability"),
    "upper above 1": ([{"target": "ill=yes", "upper": 70}], "outputs[0].upper: 70 for a probability"),
    "never": ([{"target": "ill=yes", "upper": 0}], "outputs[0].upper: 0 for a probability"),
    "certain": ([{"target": "ill=yes", "lower": 1}], "outputs[0].lower: 1 for a probability"),
    "crossed": ([{"target": "ill=yes", "lower": 0.8, "upper": 0.3}], "outputs[0] contradicts"),
    "more than 1 together": (
        [{"target": "ill=yes", "lower": 0.6}, {"target": "ill=no", "lower": 0.6}], "outputs[1] contradicts", "log-odds",
    ),
    "one score": ([{"sum": [{"target": "ill=yes"}], "lower": 1}], "outputs[0].sum: factors sum to 1, expected 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bounds_that_are_none_of_a_probability(relufit: Program, ill: Path, name: str) -> None:
    outputs, *expected = REFUSED[name]
    message = refusal(relufit, ill, "ill", {"outputs": outputs})
    assert all(part in message for part in expected), message


def test_what_scores_of_several_classes_cannot_mean(relufit: Program, ill: Path) -> None:
    columns, labels = kinds(3)
    write_labels(relufit.folder / "k.csv", columns, "kind", labels)
    upper = {"outputs": [{"target": "kind=a", "upper": 0.9}]}
    assert "expected lower alone" in refusal(relufit, relufit.folder / "k.csv", "kind", upper)
    assert "expected the logistic loss" in refusal(relufit, ill, "ill", {"convex": True})


def test_convex_log_odds(relufit: Program, ill: Path) -> None:
    model, _ = train(relufit, ill, "ill", {"convex": True}, "--hidden", 4, "--loss", "logistic")
    scores = forward(model, {"dose": np.linspace(-5, 15, 1001)})[:, 0]
    assert np.diff(scores, 2).min() >= -1e-10


def test_lipschitz_scores_bound_probabilities_by_half(relufit: Program) -> None:
    columns, labels = kinds(3)
    write_labels(relufit.folder / "k.csv", columns, "kind", labels)
    model, checks = train(relufit, relufit.folder / "k.csv", "kind", {"lipschitz": 2}, "--hidden", 6)
    assert checks[0]["name"] == "lipschitz: scores"
    random = np.random.default_rng(2)
    first = 2 * random.standard_normal((100_000, 3))
    second = first + 0.3 * random.standard_normal(first.shape)
    distance = np.linalg.norm(first - second, axis=1)
    tables = [dict(zip("uvw", points.T)) for points in (first, second)]
    for values, factor in (([forward(model, t) for t in tables], 2), ([probabilities(model, t) for t in tables], 1)):
        assert np.all(np.linalg.norm(values[0] - values[1], axis=1) <= factor * distance * (1 + 1e-9))
