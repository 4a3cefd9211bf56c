"""`train --weight-grid`: weights, bounds and losses are recomputed from the model file and the data."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import Program, forward, load_model, read_csv, write_csv

TRAIN = ("--targets", "y", "--iterations", 200, "--model", "model.json", "--test", "test.csv")


@pytest.fixture
def curve(relufit: Program) -> Path:
    """A smooth function with inputs near 1: no small network fits it exactly, on a grid or not."""
    generator = np.random.default_rng(11)
    for name, samples in (("curve.csv", 120), ("test.csv", 300)):
        inputs = generator.uniform(-1, 1, (samples, 2))
        targets = 1.7 * np.sin(2 * inputs[:, 0]) + 0.8 * inputs[:, 1] ** 2 - 0.3
        write_csv(relufit.folder / name, ["u1", "u2", "y"], np.column_stack([inputs, targets]))
    return relufit.folder / "curve.csv"


def train(
    relufit: Program, data: Path, step: str, *options: object, hidden: str = "4"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Summary and model."""
    summary = relufit.json("train", data, *TRAIN, "--hidden", hidden, "--weight-grid", step, *options)
    return summary, load_model(relufit.folder / "model.json")


def numbers(model: dict[str, Any]) -> list[float]:
    """All weights and biases."""
    rows = [row for layer in model["layers"] for row in (*layer["weights"], layer["bias"])]
    return [number for row in rows for number in row]


def folded(model: dict[str, Any]) -> list[dict[str, np.ndarray]]:
    """Layers of the network from raw inputs to raw targets."""
    layers = [{name: np.array(layer[name]) for name in ("weights", "bias")} for layer in model["layers"]]
    layers[0]["weights"] = layers[0]["weights"] / np.array(model["input_scaling"]["scale"])
    layers[0]["bias"] = layers[0]["bias"] - layers[0]["weights"] @ np.array(model["input_scaling"]["offset"])
    scale = np.array(model["target_scaling"]["scale"])
    layers[-1]["weights"] = scale[:, None] * layers[-1]["weights"]
    layers[-1]["bias"] = scale * layers[-1]["bias"] + np.array(model["target_scaling"]["offset"])
    return layers


def scaled_loss(model: dict[str, Any], table: dict[str, np.ndarray]) -> float:
    """Half the mean squared error, in units of the standard deviation of the targets."""
    return float(np.mean((forward(model, table)[:, 0] - table["y"]) ** 2) / np.var(table["y"]) / 2)


@pytest.mark.parametrize(
    ("text", "step"),
    [("2^-6", Fraction(1, 64)), ("2^-3", Fraction(1, 8)), ("2^0", Fraction(1)), ("0.125", Fraction(1, 8))],
)
def test_weights_are_multiples(relufit: Program, curve: Path, text: str, step: Fraction) -> None:
    summary, model = train(relufit, curve, text)
    assert all((Fraction(number) / step).denominator == 1 for number in numbers(model))
    assert any(number != 0 for number in numbers(model))
    assert model["input_scaling"] == {"offset": [0, 0], "scale": [1, 1]}
    assert model["target_scaling"] == {"offset": [0], "scale": [1]}
    assert set(summary["weight_grid"]) == {"step", "before", "rounded", "repaired"}
    assert summary["weight_grid"]["step"] == step


@pytest.mark.parametrize("hidden", ["4", "5,3", "none"])
def test_step_that_is_no_power_of_two(relufit: Program, curve: Path, hidden: str) -> None:
    """Multiples to the last bit that the product of step and a whole number has."""
    _, model = train(relufit, curve, "0.01", hidden=hidden)
    assert all(number == round(number / 0.01) * 0.01 for number in numbers(model))
    assert sum(number != 0 for number in numbers(model)) >= 3


@pytest.mark.parametrize("step", [2**-2, 2**-4, 2**-7])
def test_losses_are_those_of_the_networks(relufit: Program, curve: Path, step: float) -> None:
    """Before and after plain rounding: of the network that the same command trains without a grid. A constraint that
    binds nothing keeps units from being rebalanced, which changes what rounding does."""
    table = read_csv(curve)
    (relufit.folder / "c.json").write_text(json.dumps({"weights": [{"layer": 2, "upper": 1e6}]}))
    relufit("train", curve, *TRAIN, "--hidden", 4, "--constraints", "c.json")
    free = load_model(relufit.folder / "model.json")
    identity = {"input_scaling": {"offset": [0, 0], "scale": [1, 1]}, "target_scaling": {"offset": [0], "scale": [1]}}
    layers = [{name: np.round(values / step) * step for name, values in layer.items()} for layer in folded(free)]
    rounded = {**free, **identity, "layers": layers}

    summary, model = train(relufit, curve, str(step), "--constraints", "c.json")
    told = summary["weight_grid"]
    assert told["before"] == pytest.approx(scaled_loss(free, table), rel=1e-9)
    assert told["rounded"] == pytest.approx(scaled_loss(rounded, table), rel=1e-9)
    assert told["repaired"] == pytest.approx(scaled_loss(model, table), rel=1e-9)
    assert told["repaired"] < told["rounded"]


@pytest.mark.parametrize("step", ["2^-1", "2^-3", "2^-5", "2^-8", "7"])
@pytest.mark.parametrize("options", [(), ("--loss", "absolute"), ("--polish",)])
def test_repair_never_makes_it_worse(relufit: Program, curve: Path, step: str, options: tuple) -> None:
    told = train(relufit, curve, step, *options)[0]["weight_grid"]
    assert told["repaired"] <= told["rounded"]


@pytest.mark.parametrize("step", [2**-1, 2**-2, 2**-3])
def test_single_steps_do_not_lower_the_loss(relufit: Program, curve: Path, step: float) -> None:
    """What the repair ends with: no weight is better off one step up or down."""
    table = read_csv(curve)
    model = train(relufit, curve, str(step), "--polish")[1]
    best = scaled_loss(model, table)
    for layer in model["layers"]:
        for row in (*layer["weights"], layer["bias"]):
            for i, number in enumerate(row):
                for change in (step, -step):
                    row[i] = number + change
                    assert scaled_loss(model, table) >= best * (1 - 1e-12)
                row[i] = number


def test_finer_grids_end_near_the_network_without_one(relufit: Program, curve: Path) -> None:
    told = train(relufit, curve, "2^-30", "--polish")[0]["weight_grid"]
    assert told["rounded"] == pytest.approx(told["before"], rel=1e-4)
    assert told["repaired"] <= told["rounded"]


def test_summaries_show_the_network_on_the_grid(relufit: Program, curve: Path) -> None:
    summary, model = train(relufit, curve, "2^-2")
    for name, path in (("train", curve), ("test", relufit.folder / "test.csv")):
        table = read_csv(path)
        errors = forward(model, table)[:, 0] - table["y"]
        assert summary[name]["all"]["mse"] == pytest.approx(np.mean(errors**2), rel=1e-9)
        assert summary[name]["all"]["largest_error"] == pytest.approx(np.abs(errors).max(), rel=1e-9)
    text = relufit("train", curve, *TRAIN, "--hidden", 4, "--weight-grid", "2^-2")
    told = summary["weight_grid"]
    assert (
        f"multiples of 0.25: mean loss {told['before']:.4e} before, {told['rounded']:.4e} rounded, "
        f"{told['repaired']:.4e} repaired" in text
    )


def test_no_grid_no_report(relufit: Program, curve: Path) -> None:
    assert "weight_grid" not in relufit.json("train", curve, *TRAIN, "--hidden", 4)
    assert "multiples" not in relufit("train", curve, *TRAIN, "--hidden", 4)


@pytest.mark.parametrize("bound", [0.5, 0.7, 1.1])
def test_bounds_are_kept(relufit: Program, curve: Path, bound: float) -> None:
    """Bounds that bind, also where they are not multiples of the step themselves."""
    demands = [{"layer": layer, "lower": -bound, "upper": bound} for layer in (1, 2)]
    demands += [{"layer": 1, "unit": 2, "source": 1, "value": 0}, {"layer": 2, "unit": 1, "source": 3, "lower": 0.25}]
    (relufit.folder / "c.json").write_text(json.dumps({"weights": demands}))
    _, model = train(relufit, curve, "2^-4", "--constraints", "c.json")
    first, last = (np.array(layer["weights"]) for layer in model["layers"])
    largest = np.floor(bound * 16) / 16
    assert max(np.abs(first).max(), np.abs(last).max()) == largest
    assert first[1, 0] == 0
    assert last[0, 2] >= 0.25
    checks = relufit.json("evaluate", "model.json", curve, "--constraints", "c.json")["constraints"]
    assert all(check["slack"] >= 0 for check in checks)


def test_monotone_is_kept(relufit: Program, curve: Path) -> None:
    """One hidden layer: every path from the input has a slope >= 0."""
    demand = {"input": "u1", "target": "y", "direction": "increasing"}
    (relufit.folder / "c.json").write_text(json.dumps({"monotone": [demand]}))
    _, model = train(relufit, curve, "2^-3", "--constraints", "c.json")
    first, last = (np.array(layer["weights"]) for layer in model["layers"])
    paths = last[0] * first[:, 0]
    assert paths.min() >= 0 and paths.max() > 0


def test_a_constraint_that_no_grid_keeps_is_refused(relufit: Program, curve: Path) -> None:
    """0.3 is no sum of eighths; constraints other than bounds are checked at the end."""
    total = {"layer": 1, "sum": [{"unit": 1, "source": 1}, {"unit": 1, "source": 2}], "value": 0.3}
    (relufit.folder / "c.json").write_text(json.dumps({"linear": [total]}))
    options = ("train", curve, *TRAIN, "--hidden", 4, "--constraints", "c.json")
    completed = relufit.run(*options, "--weight-grid", "2^-3")
    assert completed.returncode == 1
    assert "linear[0]" in completed.stderr and "nothing is written" in completed.stderr
    assert not (relufit.folder / "model.json").exists()
    relufit(*options)  # without a grid it can be kept


@pytest.mark.parametrize("bounds", [{"value": 0.3}, {"lower": 0.26, "upper": 0.3}])
def test_bounds_without_a_multiple_are_refused(relufit: Program, curve: Path, bounds: dict) -> None:
    (relufit.folder / "c.json").write_text(json.dumps({"weights": [{"layer": 1, "unit": 2, "source": 1, **bounds}]}))
    completed = relufit.run("train", curve, *TRAIN, "--hidden", 4, "--weight-grid", "2^-3", "--constraints", "c.json")
    assert completed.returncode == 2
    assert completed.stderr.count("\n") == 1
    assert "grid" in completed.stderr and "layer 1, unit 2, source 1" in completed.stderr
    assert not (relufit.folder / "model.json").exists()


@pytest.mark.parametrize("value", ["0", "-1", "-2^-6", "nan", "inf", "1e400", "x", "", "2^", "2^x", "2^1.5", "2^-101"])
def test_bad_steps(relufit: Program, curve: Path, value: str) -> None:
    completed = relufit.run("train", curve, *TRAIN, "--hidden", 4, f"--weight-grid={value}")
    assert completed.returncode == 2
    assert completed.stdout == ""
    assert completed.stderr.count("\n") == 1 and "--weight-grid" in completed.stderr
    assert not (relufit.folder / "model.json").exists()


def test_classes_on_a_grid(relufit: Program) -> None:
    iris = Path(__file__).resolve().parents[2] / "data" / "iris.csv"
    options = ("--task", "classify", "--targets", "species", "--hidden", 4, "--model", "model.json")
    summary = relufit.json("train", iris, *options, "--weight-grid", "2^-4")
    model = load_model(relufit.folder / "model.json")
    assert all(Fraction(number).limit_denominator(16) == Fraction(number) for number in numbers(model))
    table = read_csv(iris)
    scores = forward(model, table)
    losses = np.log(np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)) + scores.max(axis=1)
    losses -= scores[np.arange(len(scores)), table["species"].astype(int)]
    assert summary["weight_grid"]["repaired"] == pytest.approx(losses.mean(), rel=1e-9)
    assert summary["train"]["log_loss"] == pytest.approx(losses.mean(), rel=1e-9)
    assert summary["weight_grid"]["repaired"] <= summary["weight_grid"]["rounded"]
    assert summary["train"]["accuracy"] >= 0.95
