"""Activations in the program: training, prediction by definition, C source, bad names and parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, forward, load_model, read_csv

KINDS = [
    ("leaky-relu", None),
    ("leaky-relu", -0.5),
    ("absolute", None),
    ("clipped-relu", 0.6),
    ("hard-tanh", None),
    ("maxout", None),
]


@pytest.mark.parametrize("hidden", ["6", "5,3"])
@pytest.mark.parametrize("name, parameter", KINDS)
def test_trains_and_predicts(relufit: Program, diabetes: Path, name: str, parameter: float | None, hidden: str) -> None:
    given = () if parameter is None else ("--activation-parameter", parameter)
    summary = relufit.json(
        "train", diabetes, "--targets", "progression", "--hidden", hidden, "--activation", name, *given,
        "--iterations", 200, "--polish", "--model", "model.json",
    )  # fmt: skip
    assert summary["train"]["all"]["r2"] > 0.3
    model = load_model(relufit.folder / "model.json")
    assert model["activation"] == name
    assert model.get("activation_parameter") == {"leaky-relu": parameter or 0.01, "clipped-relu": 0.6}.get(name)
    relufit("predict", "model.json", diabetes, "--out", "predictions.csv")
    predicted = read_csv(relufit.folder / "predictions.csv")["progression"]
    np.testing.assert_allclose(predicted, forward(model, read_csv(diabetes))[:, 0], rtol=1e-10)


def test_relu_files_do_not_say_so(relufit: Program, diabetes: Path) -> None:
    relufit(
        "train", diabetes, "--targets", "progression", "--hidden", 3, "--activation", "relu", "--iterations", 20,
        "--model", "model.json",
    )  # fmt: skip
    assert "activation" not in load_model(relufit.folder / "model.json")


@pytest.mark.parametrize(
    "options, message",
    [
        (("tanh",), "--activation: 'tanh', expected relu, leaky-relu"),
        (("relu", "--activation-parameter", 0.1), "--activation: a parameter with relu"),
        (("leaky-relu", "--activation-parameter", 1), "the slope 1 of leaky-relu, expected a number in (-1, 1)"),
        (("clipped-relu", "--activation-parameter", 0), "the ceiling 0 of clipped-relu, expected a number > 0"),
        (("absolute", "--loss", "exact", "--fixed-output", "ones"), "--activation: 'absolute', given output weights expect 'relu'"),
        (("absolute", "--strategy", "reweighted"), "activation: absolute"),
    ],
)
def test_bad_activations(relufit: Program, diabetes: Path, options: tuple, message: str) -> None:
    completed = relufit.run(
        "train", diabetes, "--targets", "progression", "--hidden", 3, "--model", "model.json", "--activation", *options
    )
    assert completed.returncode == 2 and message in completed.stderr
    assert completed.stderr.count("\n") == 1
    assert not (relufit.folder / "model.json").exists()


def test_exact_fit_of_a_deep_network(relufit: Program, tmp_path: Path) -> None:
    """The search, by default, at the teacher's own width."""
    random = np.random.default_rng(5)
    layers = [(random.standard_normal((3, 2)), random.standard_normal(3)),
              (random.standard_normal((3, 3)), random.standard_normal(3)),
              (random.standard_normal((1, 3)), random.standard_normal(1))]  # fmt: skip
    inputs = random.standard_normal((120, 2))
    values = inputs
    for index, (weights, bias) in enumerate(layers):
        values = values @ weights.T + bias
        values = np.clip(values, -1, 1) if index < 2 else values
    table = np.column_stack([inputs, values])
    np.savetxt(relufit.folder / "deep.csv", table, delimiter=",", header="a,b,y", comments="", fmt="%.17g")
    summary = relufit.json(
        "train", "deep.csv", "--targets", "y", "--hidden", "3,3", "--loss", "exact", "--activation", "hard-tanh",
        "--model", "model.json",
    )  # fmt: skip
    assert summary["status"] == "converged" and summary["train"]["all"]["relative_residual"] <= 1e-9
    model = load_model(relufit.folder / "model.json")
    np.testing.assert_allclose(forward(model, {"a": inputs[:, 0], "b": inputs[:, 1]}), values, atol=1e-7)
