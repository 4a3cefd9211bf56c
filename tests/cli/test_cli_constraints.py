"""Hard constraints and regularizers: what the program promises is recomputed here from the model file alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, activated, forward, load_model, read_csv, write_csv

TRAIN = ("--targets", "progression", "--iterations", 300, "--ridge", 0.003, "--no-polish", "--model", "model.json")


def raw_weights(model: dict) -> list[np.ndarray]:
    """Weights of the network from raw inputs to raw targets."""
    weights = [np.array(layer["weights"]) for layer in model["layers"]]
    weights[0] = weights[0] / np.array(model["input_scaling"]["scale"])
    weights[-1] = np.array(model["target_scaling"]["scale"])[:, None] * weights[-1]
    return weights


def hidden_values(model: dict, table: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Of the hidden layers, (units, samples) each."""
    scaling, found = model["input_scaling"], []
    values = np.array([table[name] for name in model["input_names"]])
    values = (values - np.array(scaling["offset"])[:, None]) / np.array(scaling["scale"])[:, None]
    for layer in model["layers"][:-1]:
        values = activated(model, np.array(layer["weights"]) @ values + np.array(layer["bias"])[:, None])
        found.append(values)
    return found


def train(relufit: Program, data: Path, constraints: dict, hidden: str = "6") -> dict:
    (relufit.folder / "constraints.json").write_text(json.dumps(constraints))
    summary = relufit.json("train", data, *TRAIN, "--hidden", hidden, "--constraints", "constraints.json")
    assert summary["train"]["all"]["r2"] > 0.2  # constrained, not crippled
    checks = relufit.json("evaluate", "model.json", data, "--constraints", "constraints.json")["constraints"]
    assert all(check["holds"] and check["slack"] >= 0 for check in checks)
    return load_model(relufit.folder / "model.json")


def norms(kind: str, weights: np.ndarray) -> float:
    return {
        "frobenius": np.linalg.norm(weights),
        "rows": np.linalg.norm(weights, axis=1).max(),
        "spectral": np.linalg.norm(weights, 2),
    }[kind]


def test_bounds(relufit: Program, diabetes: Path) -> None:
    free = raw_weights(train(relufit, diabetes, {"weights": [{"layer": 2, "upper": 1e6}]}))
    assert free[1].max() > 25 and free[1].min() < -25 and abs(free[0][1, 2]) > 1e-6
    bounds = [{"layer": 2, "lower": -25, "upper": 20}, {"layer": 1, "unit": 2, "source": 3, "value": 0}]
    kept = raw_weights(train(relufit, diabetes, {"weights": bounds}))
    assert kept[1].max() <= 20 and kept[1].min() >= -25
    assert kept[0][1, 2] == 0


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "absolute"])
def test_hidden_values(relufit: Program, diabetes: Path, activation: str) -> None:
    """Bounds at the samples, by scaling alone: predictions are those of the free network."""
    train_it = ("train", diabetes, *TRAIN, "--hidden", "6,4", "--activation", activation)
    relufit.json(*train_it)
    free = load_model(relufit.folder / "model.json")
    table = read_csv(diabetes)
    first, second = (np.abs(values).max() for values in hidden_values(free, table))
    (relufit.folder / "constraints.json").write_text(json.dumps({"hidden": [{"layer": 1, "at_most": first / 3}]}))
    relufit.json(*train_it, "--constraints", "constraints.json")
    bounded = load_model(relufit.folder / "model.json")
    scaled, free_one = (np.abs(values).max() for values in hidden_values(bounded, table))
    assert first / 3 * (1 - 1e-9) < scaled <= first / 3
    assert abs(free_one - second) <= 1e-9 * second, "the second layer has no bound"
    np.testing.assert_allclose(forward(bounded, table), forward(free, table), rtol=1e-10)
    (check,) = relufit.json("evaluate", "model.json", diabetes, "--constraints", "constraints.json")["constraints"]
    assert check["holds"] and 0 <= check["slack"] < 1e-3


@pytest.mark.parametrize("kind", ["frobenius", "rows", "spectral"])
def test_norms(relufit: Program, diabetes: Path, kind: str) -> None:
    free = norms(
        kind, raw_weights(train(relufit, diabetes, {"norms": [{"layer": 2, "norm": kind, "at_most": 1e6}]}))[1]
    )
    limit = 0.6 * free
    model = train(relufit, diabetes, {"norms": [{"layer": 2, "norm": kind, "at_most": limit}]})
    assert norms(kind, raw_weights(model)[1]) <= limit


def test_bounds_on_units_beside_a_tight_norm(relufit: Program, diabetes: Path) -> None:
    """Units above their bound are made smaller, which alone would make the norm of what they feed larger."""
    limit = 0.7 * np.linalg.norm(raw_weights(train(relufit, diabetes, {"hidden": [{"at_most": 2}]}))[1])
    norm = {"layer": 2, "norm": "frobenius", "at_most": limit}
    model = train(relufit, diabetes, {"norms": [norm], "hidden": [{"at_most": 2}]})
    assert np.linalg.norm(raw_weights(model)[1]) <= limit


@pytest.mark.parametrize("hidden", ["6", "5,4"])
def test_monotone(relufit: Program, diabetes: Path, hidden: str) -> None:
    """Everywhere, not only at the data: differences along the inputs at a million random points."""
    directions = {"bmi": 1, "s5": 1, "s3": -1}
    demands = [
        {"input": name, "target": "progression", "direction": "increasing" if sign > 0 else "decreasing"}
        for name, sign in directions.items()
    ]
    model = train(relufit, diabetes, {"monotone": demands}, hidden)
    random = np.random.default_rng(0)
    scale, offset = (np.array(model["input_scaling"][name]) for name in ("scale", "offset"))
    points = offset + 4 * scale * random.standard_normal((1_000_000, len(scale)))
    table = dict(zip(model["input_names"], points.T))
    before = forward(model, table)
    largest = []
    for name, sign in directions.items():
        step = 3 * np.std(table[name]) * random.random(len(points))
        change = sign * (forward(model, {**table, name: table[name] + step}) - before)
        assert change.min() >= -1e-9 * np.abs(before).max()
        largest.append(change.max())
    assert max(largest) > 1  # a network that leaves all of them out would be monotone, too


def test_lipschitz_bound(relufit: Program, diabetes: Path) -> None:
    model = train(relufit, diabetes, {"lipschitz": 60})
    assert np.prod([np.linalg.norm(weights, 2) for weights in raw_weights(model)]) <= 60
    random = np.random.default_rng(1)
    names = model["input_names"]
    scale, offset = (np.array(model["input_scaling"][name]) for name in ("scale", "offset"))
    first, second = offset + 3 * scale * random.standard_normal((2, 500_000, len(names)))
    change = forward(model, dict(zip(names, first.T))) - forward(model, dict(zip(names, second.T)))
    assert np.all(np.abs(change[:, 0]) <= 60 * np.linalg.norm(first - second, axis=1) * (1 + 1e-9))


def test_convex(relufit: Program, diabetes: Path) -> None:
    model = train(relufit, diabetes, {"convex": True}, "6,4")
    random = np.random.default_rng(2)
    names = model["input_names"]
    scale, offset = (np.array(model["input_scaling"][name]) for name in ("scale", "offset"))
    first, second = offset + 3 * scale * random.standard_normal((2, 200_000, len(names)))
    values = [forward(model, dict(zip(names, points.T))) for points in (first, second, (first + second) / 2)]
    assert np.all(values[2] <= (values[0] + values[1]) / 2 + 1e-9 * np.abs(values[0]).max())


def test_linear_equalities(relufit: Program, diabetes: Path) -> None:
    tied = {"layer": 1, "sum": [{"unit": 1, "source": 3}, {"unit": 2, "source": 3, "factor": -2}], "value": 0}
    total = {"layer": 2, "sum": [{"unit": 1, "source": i + 1} for i in range(6)], "lower": -5, "upper": 5}
    weights = raw_weights(train(relufit, diabetes, {"linear": [tied, total]}))
    assert abs(weights[0][0, 2] - 2 * weights[0][1, 2]) <= 1e-12 * np.abs(weights[0]).max()
    assert abs(weights[1].sum()) <= 5
    assert np.abs(weights[1]).max() > 5


@pytest.mark.parametrize("loss", [(), ("--loss", "absolute"), ("--polish",)])
def test_bounds_on_outputs(relufit: Program, diabetes: Path, loss: tuple) -> None:
    """At the samples, and at points far outside of the data with bounds of their own; one of them an equality."""
    table = read_csv(diabetes)
    names = [name for name in table if name != "progression"]
    center, spread = (np.array([f(table[name]) for name in names]) for f in (np.mean, np.std))
    points = center + 3 * spread * np.random.default_rng(3).standard_normal((20, len(names)))
    least = np.full(20, 80.0)
    least[0] = 200
    most = np.full(20, 220.0)
    most[0] = 200
    (relufit.folder / "points").mkdir()
    write_csv(relufit.folder / "points/far.csv", [*names, "least", "most"], np.column_stack([points, least, most]))
    outputs = [
        {"target": "progression", "lower": 80, "upper": 220},
        {"target": "progression", "points": "points/far.csv", "lower": "least", "upper": "most"},
    ]
    (relufit.folder / "c.json").write_text(json.dumps({"outputs": outputs}))
    summary = relufit.json("train", diabetes, *TRAIN, "--hidden", 8, "--constraints", "c.json", *loss)
    assert summary["train"]["all"]["r2"] > 0.3
    model = load_model(relufit.folder / "model.json")
    at_samples = forward(model, table)[:, 0]
    assert at_samples.min() >= 80 and at_samples.max() <= 220
    assert at_samples.min() < 82 or at_samples.max() > 218  # they bind
    far = forward(model, dict(zip(names, points.T)))[:, 0]
    assert np.all(far[1:] >= least[1:]) and np.all(far[1:] <= most[1:])
    assert abs(far[0] - 200) <= 1e-10
    checks = relufit.json("evaluate", "model.json", diabetes, "--constraints", "c.json")["constraints"]
    assert [check["holds"] for check in checks] == [True, True]
    assert all(check["slack"] >= 0 for check in checks)


@pytest.mark.parametrize("loss", [(), ("--loss", "huber", "--huber-delta", 20)])
def test_bounds_on_sums_of_outputs(relufit: Program, diabetes: Path, loss: tuple) -> None:
    """Total cholesterol above twice LDL less a margin at the samples, their mean at points far outside, one above 0."""
    table = read_csv(diabetes)
    names = [name for name in table if name not in ("s1", "s2")]
    center, spread = (np.array([f(table[name]) for name in names]) for f in (np.mean, np.std))
    points = center + 3 * spread * np.random.default_rng(4).standard_normal((10, len(names)))
    write_csv(relufit.folder / "far.csv", names, points)
    difference = [{"target": "s1"}, {"target": "s2", "factor": -2}]
    outputs = [
        {"sum": difference, "lower": -20, "upper": -10},
        {"sum": [{"target": "s1", "factor": 0.5}, {"target": "s2", "factor": 0.5}], "points": "far.csv", "upper": 140},
        {"target": "s2", "lower": 60},
    ]
    (relufit.folder / "c.json").write_text(json.dumps({"outputs": outputs}))
    train = ["--targets", "s1,s2", "--iterations", 100, "--ridge", 0.003, "--hidden", 6, "--model", "model.json", *loss]
    relufit("train", diabetes, *train, "--constraints", "c.json")
    model = load_model(relufit.folder / "model.json")
    total, low = forward(model, table).T
    assert -20 <= (total - 2 * low).min() and (total - 2 * low).max() <= -10 and low.min() >= 60
    assert (total - 2 * low).min() < -19.99  # it binds
    assert np.std(low) > 10
    far = forward(model, dict(zip(names, points.T))).mean(axis=1)
    assert far.max() <= 140
    checks = relufit.json("evaluate", "model.json", diabetes, "--constraints", "c.json")["constraints"]
    assert [check["holds"] for check in checks] == [True] * 3
    assert checks[0]["name"] == "outputs[0]: s1 - 2 s2 at 442 samples"
    relufit("train", diabetes, *train)
    total, low = forward(load_model(relufit.folder / "model.json"), table).T
    assert (total - 2 * low).min() < -30 or (total - 2 * low).max() > 0  # without the demand


def test_bounds_that_no_network_keeps(relufit: Program, diabetes: Path) -> None:
    """Two values at the same point: found out at the end, and nothing is written."""
    table = read_csv(diabetes)
    names = [name for name in table if name != "progression"]
    point = np.array([[np.mean(table[name]) for name in names]])
    write_csv(relufit.folder / "p.csv", names, point)
    outputs = [{"target": "progression", "points": "p.csv", "upper": 100}]
    outputs += [{"target": "progression", "points": "p.csv", "lower": 200}]
    (relufit.folder / "c.json").write_text(json.dumps({"outputs": outputs}))
    completed = relufit.run("train", diabetes, *TRAIN, "--hidden", 4, "--constraints", "c.json")
    assert completed.returncode == 1
    assert "outputs[" in completed.stderr and "nothing is written" in completed.stderr
    assert not (relufit.folder / "model.json").exists()


def test_sums_that_no_weights_of_a_norm_have(relufit: Program, diabetes: Path) -> None:
    """With bounds on outputs besides: multipliers grow without end, and the violation is told, not a strange number."""
    sums = [
        {"layer": 2, "sum": [{"unit": 1, "source": 4, "factor": 0.41}, {"unit": 1, "source": 2, "factor": -0.47}], "value": 1.4},
        {"layer": 2, "sum": [{"unit": 1, "source": 5, "factor": 1.38}, {"unit": 1, "source": 3, "factor": -1.37}], "value": -0.697},
    ]  # fmt: skip
    demands = {"linear": sums, "norms": [{"layer": 2, "norm": "rows", "at_most": 1.5}]}
    demands["outputs"] = [{"target": "progression", "lower": 60, "upper": 250}]
    (relufit.folder / "c.json").write_text(json.dumps(demands))
    completed = relufit.run("train", diabetes, *TRAIN, "--hidden", 5, "--constraints", "c.json")
    assert completed.returncode == 1
    assert "is violated by" in completed.stderr and "nothing is written" in completed.stderr
    assert not (relufit.folder / "model.json").exists()


def test_polish_keeps_constraints(relufit: Program, diabetes: Path) -> None:
    demands = {"monotone": [{"input": "bmi", "target": "progression", "direction": "increasing"}], "lipschitz": 200}
    (relufit.folder / "c.json").write_text(json.dumps(demands))
    common = ("train", diabetes, "--targets", "progression", "--iterations", 300, "--ridge", 0.003, "--hidden", 8,
              "--constraints", "c.json", "--model", "model.json")  # fmt: skip
    rough = relufit.json(*common, "--no-polish")["train"]["all"]["mse"]
    relufit.json(*common, "--threads", 3)
    threaded = load_model(relufit.folder / "model.json")["layers"]
    polished = relufit.json(*common)
    assert load_model(relufit.folder / "model.json")["layers"] == threaded
    assert polished["train"]["all"]["mse"] < rough and polished["polish_iterations"] > 0
    checks = relufit.json("evaluate", "model.json", diabetes, "--constraints", "c.json")["constraints"]
    assert all(check["slack"] >= 0 for check in checks)


def test_group_lasso_removes_units(relufit: Program, diabetes: Path) -> None:
    summary = relufit.json("train", diabetes, *TRAIN, "--hidden", 10, "--group-lasso", 0.05)
    model = load_model(relufit.folder / "model.json")
    assert summary["removed_units"] > 0
    assert len(model["layers"][0]["bias"]) == 10 - summary["removed_units"]
    assert all(np.linalg.norm(row) > 0 for row in model["layers"][0]["weights"])


def test_monotone_is_proven_whatever_the_units_are(relufit: Program, diabetes: Path) -> None:
    """Units removed or in another order; and a network that is not monotone is found out."""
    demand = {"monotone": [{"input": "bmi", "target": "progression", "direction": "increasing"}]}
    (relufit.folder / "c.json").write_text(json.dumps(demand))
    summary = relufit.json("train", diabetes, *TRAIN, "--hidden", 10, "--constraints", "c.json", "--group-lasso", 0.03)
    assert summary["removed_units"] > 0
    model = load_model(relufit.folder / "model.json")
    first, last = model["layers"]
    order = np.random.default_rng(0).permutation(len(first["bias"]))
    first["weights"], first["bias"] = [first["weights"][i] for i in order], [first["bias"][i] for i in order]
    last["weights"] = [[row[i] for i in order] for row in last["weights"]]
    evaluate = ("evaluate", "mixed.json", diabetes, "--constraints", "c.json")
    (relufit.folder / "mixed.json").write_text(json.dumps(model))
    assert relufit.json(*evaluate)["constraints"][0]["holds"]
    first["weights"][0][model["input_names"].index("bmi")] *= -1
    first["weights"][0][model["input_names"].index("bmi")] += 0.1 * (1 if last["weights"][0][0] < 0 else -1)
    (relufit.folder / "mixed.json").write_text(json.dumps(model))
    assert not relufit.json(*evaluate)["constraints"][0]["holds"]


def test_lasso_and_nuclear_norm(relufit: Program, diabetes: Path) -> None:
    relufit("train", diabetes, *TRAIN, "--hidden", 6, "--lasso", 0.02)
    weights = np.array(load_model(relufit.folder / "model.json")["layers"][0]["weights"])
    assert np.mean(weights == 0) > 0.3
    relufit("train", diabetes, *TRAIN, "--hidden", 6, "--nuclear", 0.05)
    weights = np.array(load_model(relufit.folder / "model.json")["layers"][0]["weights"])
    assert np.linalg.matrix_rank(weights, tol=1e-9) < min(weights.shape)


def test_monotone_with_hard_tanh(relufit: Program, diabetes: Path) -> None:
    demand = [{"input": "bmi", "target": "progression", "direction": "increasing"}]
    (relufit.folder / "c.json").write_text(json.dumps({"monotone": demand}))
    relufit.json("train", diabetes, *TRAIN, "--hidden", 6, "--activation", "hard-tanh", "--constraints", "c.json")
    model = load_model(relufit.folder / "model.json")
    random = np.random.default_rng(0)
    scaling = model["input_scaling"]
    points = np.array(scaling["offset"]) + 4 * np.array(scaling["scale"]) * random.standard_normal((200_000, 10))
    table = dict(zip(model["input_names"], points.T))
    before = forward(model, table)
    table["bmi"] = table["bmi"] + np.abs(random.standard_normal(len(points)))
    assert (forward(model, table) - before).min() >= -1e-9
    assert (forward(model, table) - before).max() > 1
