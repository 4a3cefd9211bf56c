"""The unit of the data decides nothing: bounds, constants and measures in very large and small ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, forward, load_model, read_csv, write_csv

TRAIN = ("--targets", "progression", "--iterations", 300, "--model", "model.json")


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("offset", [0, 1e6])
@pytest.mark.parametrize("loss", [(), ("--loss", "absolute")])
def test_bounds_on_outputs_in_other_units(
    relufit: Program, diabetes: Path, scale: float, offset: float, loss: tuple
) -> None:
    """As they are computed from the model file by NumPy, sample by sample: a large offset leaves less of the digits."""
    table = read_csv(diabetes)
    table["progression"] = scale * table["progression"] + offset * scale
    write_csv(relufit.folder / "scaled.csv", list(table), np.column_stack(list(table.values())))
    least, most = 80 * scale + offset * scale, 220 * scale + offset * scale
    (relufit.folder / "c.json").write_text(
        json.dumps({"outputs": [{"target": "progression", "lower": least, "upper": most}]})
    )
    relufit("train", "scaled.csv", *TRAIN, "--hidden", 6, "--constraints", "c.json", *loss)
    model = load_model(relufit.folder / "model.json")
    outputs = [forward(model, {name: values[[i]] for name, values in table.items()})[0, 0] for i in range(442)]
    assert least <= min(outputs) and max(outputs) <= most
    (check,) = relufit.json("evaluate", "model.json", "scaled.csv", "--constraints", "c.json")["constraints"]
    assert check["slack"] >= 0


@pytest.mark.parametrize("exponent", [-660, -20, 0, 20, 660, 1000])
def test_measures_without_unit_do_not_change_with_it(relufit: Program, exponent: int) -> None:
    """By powers of two, which round nothing; squares of the targets overflow or vanish. Infinity is null in JSON."""
    measures = []
    for factor in (1.0, 2.0**exponent):
        table = np.array([[1.0, 2], [2, 4], [3, 7], [4, 5], [5, 6]]) * [1, factor]
        write_csv(relufit.folder / "d.csv", ["a", "y"], table)
        train = ("train", "d.csv", "--targets", "y", "--hidden", 2, "--iterations", 20, "--model", "m.json")
        measures.append(relufit.json(*train)["train"]["all"])
        assert "nan" not in relufit("evaluate", "m.json", "d.csv")
    plain, scaled = measures
    assert plain["r2"] == scaled["r2"] and plain["relative_residual"] == scaled["relative_residual"]
    assert scaled["largest_error"] == plain["largest_error"] * 2.0**exponent
    expected = plain["mse"] * 2.0**exponent * 2.0**exponent
    assert scaled["mse"] == pytest.approx(expected, rel=1e-14) if np.isfinite(expected) else scaled["mse"] is None


@pytest.mark.parametrize("offset, rounded", [(1, 0.9999999999999999), (0.3, 0.1 + 0.2), (1e9, 1e9 + 1e-7)])
def test_an_input_that_is_constant_but_for_rounding(relufit: Program, offset: float, rounded: float) -> None:
    rows = np.array([[offset, 1, 2], [rounded, 2, 4], [offset, 3, 7], [offset, 4, 5], [offset, 5, 9]])
    write_csv(relufit.folder / "s.csv", ["share", "a", "y"], rows)
    relufit("train", "s.csv", "--targets", "y", "--hidden", 2, "--model", "s.json")
    model = load_model(relufit.folder / "s.json")
    near, far = forward(model, {"share": np.array([offset, 0.99 * offset]), "a": np.array([3.0, 3])})[:, 0]
    assert abs(far - near) < 0.1, "nothing is known about it"


def test_a_target_that_is_constant_but_for_rounding(relufit: Program) -> None:
    (relufit.folder / "t.csv").write_text("a,y\n1,0.3\n2,0.30000000000000004\n3,0.3\n")
    completed = relufit.run("train", "t.csv", "--targets", "y", "--hidden", 2, "--model", "t.json")
    assert completed.returncode == 2
    assert "target 'y': 0.3 in all 3 samples but for rounding, expected" in completed.stderr


def test_a_timestamp_is_no_constant(relufit: Program) -> None:
    seconds = 1732000000 + np.arange(40) / 4
    write_csv(relufit.folder / "t.csv", ["time", "y"], np.column_stack([seconds, np.abs(np.arange(40) - 20.0)]))
    summary = relufit.json("train", "t.csv", "--targets", "y", "--hidden", 4, "--model", "t.json")
    assert summary["train"]["all"]["r2"] > 0.9
