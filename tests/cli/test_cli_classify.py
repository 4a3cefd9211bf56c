"""Losses and classification through the program; measures recomputed in NumPy from the model file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, forward, load_model, read_csv, write_csv

DATA = Path(__file__).resolve().parents[2] / "data"
CLASSIFY = ("--task", "classify", "--targets", "species", "--hidden", 5)
NAMES = ["setosa", "versicolor", "virginica"]


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


@pytest.fixture
def iris(tmp_path: Path) -> Path:
    """The iris data with names for labels, and the label in the second column."""
    header, rows = read_rows(DATA / "iris.csv")
    path = tmp_path / "iris.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([header[0], header[-1], *header[1:-1]])
        writer.writerows([row[0], NAMES[int(row[-1])], *row[1:-1]] for row in rows)
    return path


def inputs_and_labels(path: Path, label: str) -> tuple[dict[str, np.ndarray], list[str]]:
    header, rows = read_rows(path)
    at = header.index(label)
    table = {name: np.array([float(row[i]) for row in rows]) for i, name in enumerate(header) if i != at}
    return table, [row[at] for row in rows]


def softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def expected_report(probabilities: np.ndarray, labels: list[str], classes: list[str]) -> dict:
    truth = np.array([classes.index(label) for label in labels])
    chosen = probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (truth, chosen), 1)
    return {
        "samples": len(labels),
        "accuracy": float(np.mean(truth == chosen)),
        "log_loss": pytest.approx(float(-np.mean(np.log(probabilities[np.arange(len(truth)), truth]))), rel=1e-9),
        "classes": classes,
        "confusion": confusion.tolist(),
    }


def test_classify_names(relufit: Program, iris: Path) -> None:
    summary = relufit.json("train", iris, *CLASSIFY, "--test-fraction", 0.2, "--model", "model.json")
    # Stratified: 10 of 50 of each class.
    assert [sum(row) for row in summary["test"]["confusion"]] == [10, 10, 10]
    assert [sum(row) for row in summary["train"]["confusion"]] == [40, 40, 40]
    assert summary["test"]["accuracy"] >= 0.8

    model = load_model(relufit.folder / "model.json")
    assert model["classification"] == {"label": "species", "classes": NAMES, "link": "softmax"}
    assert model["target_names"] == [f"species={name}" for name in NAMES]
    assert model["target_scaling"] == {"offset": [0, 0, 0], "scale": [1, 1, 1]}
    assert "species" not in model["input_names"]
    assert model["training"]["relative_residual"] is None

    table, labels = inputs_and_labels(iris, "species")
    probabilities = softmax(forward(model, table))
    assert relufit.json("evaluate", "model.json", iris) == expected_report(probabilities, labels, NAMES)

    relufit("predict", "model.json", iris, "--out", "out.csv")
    header, rows = read_rows(relufit.folder / "out.csv")
    assert header == ["label", *(f"p_{name}" for name in NAMES)]
    assert [row[0] for row in rows] == [NAMES[i] for i in probabilities.argmax(axis=1)]
    np.testing.assert_allclose(np.array([row[1:] for row in rows], dtype=float), probabilities, rtol=1e-9, atol=1e-300)
    assert relufit("predict", "model.json", iris) == (relufit.folder / "out.csv").read_text()

    text = relufit("evaluate", "model.json", iris)
    assert "150 samples" in text and "log loss" in text and "versicolor" in text


def test_predict_needs_no_label(relufit: Program, iris: Path) -> None:
    relufit("train", iris, *CLASSIFY, "--model", "model.json")
    table, _ = inputs_and_labels(iris, "species")
    write_csv(relufit.folder / "inputs.csv", list(table), np.column_stack(list(table.values())))
    assert relufit("predict", "model.json", "inputs.csv") == relufit("predict", "model.json", iris)


@pytest.mark.parametrize("loss", ["cross-entropy", "logistic", "hinge"])
def test_two_numbered_classes(relufit: Program, iris: Path, loss: str) -> None:
    """Labels 10 and 9.0: numbers, sorted by value and written the shortest way."""
    header, rows = read_rows(iris)
    with (relufit.folder / "two.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([row[0], "10" if row[1] == "setosa" else "9.0", *row[2:]] for row in rows)
    summary = relufit.json("train", "two.csv", *CLASSIFY, "--loss", loss, "--model", "model.json")
    assert summary["train"]["accuracy"] > 0.97
    model = load_model(relufit.folder / "model.json")
    assert model["classification"]["classes"] == ["9", "10"]
    table, labels = inputs_and_labels(relufit.folder / "two.csv", "species")
    scores = forward(model, table)
    if loss != "cross-entropy":
        assert scores.shape[1] == 1
        scores = np.column_stack([np.zeros(len(scores)), scores])
    report = relufit.json("evaluate", "model.json", "two.csv")
    expected = expected_report(softmax(scores), ["9" if label == "9.0" else label for label in labels], ["9", "10"])
    relufit("predict", "model.json", "two.csv", "--out", "out.csv")
    header, rows = read_rows(relufit.folder / "out.csv")
    assert [row[0] for row in rows] == [["9", "10"][i] for i in scores.argmax(axis=1)]
    if loss == "hinge":
        assert report == {**expected, "log_loss": None}
        assert header == ["label"]
        assert "no probabilities" in relufit("evaluate", "model.json", "two.csv")
    else:
        assert report == expected
        assert header == ["label", "p_9", "p_10"]


def test_hinge_with_three_classes(relufit: Program, iris: Path) -> None:
    summary = relufit.json("train", iris, *CLASSIFY, "--loss", "hinge", "--model", "model.json")
    assert summary["train"]["accuracy"] > 0.9
    model = load_model(relufit.folder / "model.json")
    assert model["classification"]["link"] == "none"
    table, labels = inputs_and_labels(iris, "species")
    accuracy = np.mean(forward(model, table).argmax(axis=1) == [NAMES.index(label) for label in labels])
    assert summary["train"]["accuracy"] == pytest.approx(accuracy)


def test_logistic_model_without_hidden_layer(relufit: Program, iris: Path) -> None:
    """A convex problem: the gradient of the mean log loss with its ridge vanishes at the model."""
    relufit("train", iris, "--task", "classify", "--targets", "species", "--hidden", "none", "--ridge", 0.01, "--model",
            "model.json")  # fmt: skip
    model = load_model(relufit.folder / "model.json")
    assert model["training"]["status"] == "converged"
    table, labels = inputs_and_labels(iris, "species")
    truth = np.eye(3)[[NAMES.index(label) for label in labels]]
    scaling = model["input_scaling"]
    inputs = np.column_stack([table[name] for name in model["input_names"]])
    inputs = (inputs - np.array(scaling["offset"])) / np.array(scaling["scale"])
    slopes = (softmax(forward(model, table)) - truth) / len(truth)
    weights = np.array(model["layers"][0]["weights"])
    np.testing.assert_allclose(slopes.T @ inputs + 0.01 * weights, 0, atol=1e-6)
    np.testing.assert_allclose(slopes.sum(axis=0), 0, atol=1e-6)


def pinball(errors: np.ndarray, tau: float) -> np.ndarray:
    return np.where(errors >= 0, (1 - tau) * errors, -tau * errors)


@pytest.mark.parametrize(
    "options, value",
    [
        (("absolute",), lambda e: np.abs(e)),
        (("huber", "--huber-delta", 20), lambda e: np.where(np.abs(e) <= 20, e**2 / 2, 20 * (np.abs(e) - 10))),
        (("quantile", "--quantile", 0.9), lambda e: pinball(e, 0.9)),
    ],
)
def test_losses_of_regression(relufit: Program, diabetes: Path, options: tuple, value) -> None:
    """The linear model of each loss, a convex problem's optimum, is better by that loss, in raw units, than that of the
    squared loss; a network's loss is reported."""
    common = ("train", diabetes, "--targets", "progression", "--hidden", "none", "--ridge", 0)
    squared = relufit.json(*common, "--model", "squared.json")
    assert "loss" not in squared["train"]
    summary = relufit.json(*common, "--loss", *options, "--model", "model.json")
    table = read_csv(diabetes)
    means = []
    for name in ("model.json", "squared.json"):
        errors = forward(load_model(relufit.folder / name), table)[:, 0] - table["progression"]
        means.append(float(np.mean(value(errors))))
    assert means[0] < means[1]
    assert summary["train"]["loss"]["name"] == options[0]
    assert summary["train"]["loss"]["mean"] == pytest.approx(means[0], rel=1e-10)
    network = relufit.json("train", diabetes, "--targets", "progression", "--hidden", 3, "--loss", *options,
                           "--model", "network.json")  # fmt: skip
    errors = forward(load_model(relufit.folder / "network.json"), table)[:, 0] - table["progression"]
    assert network["train"]["loss"]["mean"] == pytest.approx(float(np.mean(value(errors))), rel=1e-10)
    assert summary["train"]["loss"].get("parameter") == (options[2] if len(options) > 1 else None)
    assert relufit.json("evaluate", "model.json", diabetes)["loss"] == summary["train"]["loss"]
    assert options[0] in relufit("evaluate", "model.json", diabetes)
    if options[0] == "quantile":
        predictions = forward(load_model(relufit.folder / "model.json"), table)[:, 0]
        assert 0.85 < np.mean(table["progression"] <= predictions) < 0.95


def test_sample_weights(relufit: Program) -> None:
    """Rows of weight 0 do not count: their targets may be anything."""
    generator = np.random.default_rng(5)
    inputs = generator.normal(size=(60, 2))
    targets = inputs @ [1.0, -2.0] + 0.5
    weights = (np.arange(60) % 3 > 0).astype(float)
    targets = np.where(weights > 0, targets, 50.0)
    write_csv(relufit.folder / "data.csv", ["a", "b", "w", "y"], np.column_stack([inputs, weights, targets]))
    relufit("train", "data.csv", "--targets", "y", "--sample-weights", "w", "--hidden", "none", "--ridge", 0, "--model",
            "model.json")  # fmt: skip
    model = load_model(relufit.folder / "model.json")
    assert model["input_names"] == ["a", "b"]
    predictions = forward(model, read_csv(relufit.folder / "data.csv"))[:, 0]
    np.testing.assert_allclose(predictions, inputs @ [1.0, -2.0] + 0.5, atol=1e-5)


@pytest.mark.parametrize(
    "labels, classes",
    [
        (["9007199254740992", "9007199254740993", "9007199254740994"], None),
        (["007", "7", "01"], ["007", "01", "7"]),
        (["1.0", "+1", "1e3", "1000", "-0"], ["0", "1", "1000"]),
        (["1", "1.0", "one"], None),
    ],
)
def test_labels_come_back_as_they_were(relufit: Program, labels: list[str], classes: list[str] | None) -> None:
    """Labels of samples far from each other, which are therefore told apart, and classes in order."""
    classes = classes or labels
    rows = [f"{100 * i + j},{label}" for i, label in enumerate(labels) for j in range(3)]
    (relufit.folder / "d.csv").write_text("\n".join(["a,y", *rows]) + "\n")
    arguments = ("--task", "classify", "--targets", "y", "--hidden", 8, "--ridge", 1e-6)
    summary = relufit.json("train", "d.csv", *arguments, "--model", "m.json")
    assert summary["train"]["classes"] == classes
    assert load_model(relufit.folder / "m.json")["classification"]["classes"] == classes
    assert relufit.json("evaluate", "m.json", "d.csv")["confusion"] == summary["train"]["confusion"]
    relufit("predict", "m.json", "d.csv", "--out", "p.csv")
    given = {row[0] for row in read_rows(relufit.folder / "p.csv")[1]}
    assert given <= set(classes) and len(given) > 1
