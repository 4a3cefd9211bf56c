"""Skip connections in the program: training, prediction by definition, C source, constraints, bad files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, forward, load_model, read_csv

INPUTS = 10  # of the diabetes data


@pytest.mark.parametrize("hidden", ["4", "4,3"])
def test_trains_predicts_and_exports(relufit: Program, diabetes: Path, hidden: str) -> None:
    summary = relufit.json(
        "train", diabetes, "--targets", "progression", "--hidden", hidden, "--skip-connections", "--iterations", 100,
        "--model", "model.json",
    )  # fmt: skip
    assert summary["train"]["all"]["r2"] > 0.4
    model = load_model(relufit.folder / "model.json")
    widths = [int(width) for width in hidden.split(",")]
    assert model["skip_connections"] is True
    assert [len(layer["weights"][0]) for layer in model["layers"]] == [INPUTS, *(width + INPUTS for width in widths)]
    relufit("predict", "model.json", diabetes, "--out", "predictions.csv")
    predicted = read_csv(relufit.folder / "predictions.csv")["progression"]
    table = read_csv(diabetes)
    np.testing.assert_allclose(predicted, forward(model, table)[:, 0], rtol=1e-10)

    relufit("export", "model.json", "--c", "model.h")
    samples = np.column_stack([table[name] for name in model["input_names"]])[:5]
    calls = "".join(
        f'  {{ const double u[] = {{{", ".join(map(repr, map(float, row)))}}}; model_predict(u, z); printf("%.17g\\n", z[0]); }}\n'
        for row in samples
    )
    source = relufit.folder / "main.c"
    source.write_text(
        f'#include <stdio.h>\n#include "model.h"\nint main(void) {{\n  double z[1];\n{calls}  return 0;\n}}\n'
    )
    compiler = ["cc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o", relufit.folder / "main", source]
    subprocess.run(compiler, check=True)
    printed = subprocess.run([relufit.folder / "main"], check=True, capture_output=True, text=True).stdout.split()
    np.testing.assert_allclose([float(value) for value in printed], predicted[:5], rtol=1e-12)


def test_linear_function_and_constraints(relufit: Program, diabetes: Path) -> None:
    """Monotone and bounded: kept by the weights of the inputs in every layer."""
    demands = {
        "monotone": [{"input": "bmi", "target": "progression", "direction": "increasing"}],
        "weights": [{"layer": 2, "unit": 1, "source": 5, "lower": 0, "upper": 0}],
    }
    (relufit.folder / "demands.json").write_text(json.dumps(demands))
    relufit(
        "train", diabetes, "--targets", "progression", "--hidden", "4", "--skip-connections", "--iterations", 100,
        "--constraints", "demands.json", "--model", "model.json",
    )  # fmt: skip
    shown = relufit("evaluate", "model.json", diabetes, "--constraints", "demands.json")
    assert "monotone" in shown
    model = load_model(relufit.folder / "model.json")
    assert model["layers"][1]["weights"][0][4] == 0  # the first of the inputs, after four units
    table = read_csv(diabetes)
    before = forward(model, table)
    table["bmi"] = table["bmi"] + 0.5 * np.std(table["bmi"])
    assert (forward(model, table) - before).min() >= 0


@pytest.mark.parametrize(
    "options, message",
    [
        (("--hidden", "none"), "--skip-connections: with no hidden layer, expected none"),
        (("--hidden", 3, "--loss", "exact", "--fixed-output", "ones"), "--skip-connections: with fixed output weights"),
        (("--hidden", 3, "--strategy", "reweighted"), "skip connections: general scales"),
    ],
)
def test_refused(relufit: Program, diabetes: Path, options: tuple, message: str) -> None:
    completed = relufit.run(
        "train", diabetes, "--targets", "progression", "--skip-connections", "--model", "model.json", *options
    )
    assert completed.returncode == 2 and message in completed.stderr
    assert not (relufit.folder / "model.json").exists()


@pytest.mark.parametrize(
    "value, message",
    [(False, "row 1 has 13 values, expected 3"), ("yes", "skip_connections: 'yes', expected true or false")],
)
def test_bad_model_files(relufit: Program, diabetes: Path, value: object, message: str) -> None:
    relufit(
        "train", diabetes, "--targets", "progression", "--hidden", 3, "--skip-connections", "--iterations", 10,
        "--model", "model.json",
    )  # fmt: skip
    path = relufit.folder / "model.json"
    path.write_text(json.dumps({**load_model(path), "skip_connections": value}))
    completed = relufit.run("predict", "model.json", diabetes)
    assert completed.returncode == 2 and message in completed.stderr
