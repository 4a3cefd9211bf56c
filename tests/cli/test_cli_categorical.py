"""Columns of text as inputs through the program; predictions recomputed in NumPy from the model file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, contents, forward, load_model, measures, read_csv, without_times

COLORS = ["red", "green", "light blue"]
TRAIN = ("train", "cars.csv", "--targets", "price", "--hidden", 4, "--ridge", 0.001, "--model", "cars.json")
CATEGORICAL = ("--categorical", "color,doors")


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def cars(path: Path, seed: int = 0) -> list[list[str]]:
    """Rows of color, age, doors (a number) and price, of which color and doors add to the price by themselves."""
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(60):
        color, doors = COLORS[generator.integers(3)], (2, 4, 10)[generator.integers(3)]
        age = generator.uniform(0, 10)
        price = 20 - 2 * abs(age - 5) + 3 * COLORS.index(color) + (5 if doors == 4 else 0)
        rows.append([color, repr(float(age)), str(doors), repr(float(price))])
    write_rows(path, ["color", "age", "doors", "price"], rows)
    return rows


@pytest.fixture
def rows(tmp_path: Path) -> list[list[str]]:
    return cars(tmp_path / "cars.csv")


def one_hot(rows: list[list[str]]) -> dict[str, np.ndarray]:
    table = {"age": np.array([float(row[1]) for row in rows])}
    for column, at in (("color", 0), ("doors", 2)):
        for level in {row[at] for row in rows}:
            table[f"{column}={level}"] = np.array([float(row[at] == level) for row in rows])
    return table


def test_levels_are_inputs_that_the_model_keeps(relufit: Program, tmp_path: Path, rows: list[list[str]]) -> None:
    report = relufit.json(*TRAIN, *CATEGORICAL)
    assert report["train"]["all"]["r2"] > 0.9
    model = load_model(tmp_path / "cars.json")
    levels = {"color": ["green", "light blue", "red"], "doors": ["10", "2", "4"]}
    assert model["categories"] == [{"column": column, "levels": found} for column, found in levels.items()]
    assert model["input_names"] == [
        *(f"color={level}" for level in levels["color"]), "age", *(f"doors={level}" for level in levels["doors"])
    ]  # fmt: skip
    expected = forward(model, one_hot(rows))
    # Columns in another order, others with anything in them, no targets.
    write_rows(tmp_path / "new.csv", ["doors", "note", "color", "age"], [[r[2], "?", r[0], r[1]] for r in rows])
    relufit("predict", "cars.json", "new.csv", "--out", "out.csv")
    predicted = read_csv(tmp_path / "out.csv")["price"]
    np.testing.assert_allclose(predicted, expected[:, 0], rtol=1e-12)
    prices = np.array([[float(row[3])] for row in rows])
    found = relufit.json("evaluate", "cars.json", "cars.csv")["all"]
    for name, value in measures(expected, prices).items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert relufit.json("certify", "cars.json", "cars.csv", "--time-limit", 1)["lower_bound"] > 0


def test_they_are_columns_of_zeros_and_ones(relufit: Program, tmp_path: Path, rows: list[list[str]]) -> None:
    """The same training as on a file with these columns, bit for bit."""
    relufit(*TRAIN, *CATEGORICAL)
    model = load_model(tmp_path / "cars.json")
    table = one_hot(rows)
    plain = [[repr(float(table[name][i])) for name in model["input_names"]] + [rows[i][3]] for i in range(len(rows))]
    write_rows(tmp_path / "plain.csv", [*model["input_names"], "price"], plain)
    relufit("train", "plain.csv", *TRAIN[2:-1], "plain.json")
    without = {key: value for key, value in without_times(model).items() if key != "categories"}
    assert without_times(load_model(tmp_path / "plain.json")) == without


def test_other_files_and_inputs_have_the_same_levels(relufit: Program, tmp_path: Path, rows: list[list[str]]) -> None:
    cars(tmp_path / "other.csv", seed=1)
    options = (*CATEGORICAL, "--test", "other.csv", "--validation", "other.csv", "--inputs", "doors,color")
    report = relufit.json(*TRAIN, *options)
    model = load_model(tmp_path / "cars.json")
    assert model["input_names"][0] == "doors=10" and len(model["input_names"]) == 6
    assert report["test"] == report["validation"] == relufit.json("evaluate", "cars.json", "other.csv")
    report = relufit.json(*TRAIN, *CATEGORICAL, "--test-fraction", 0.3)
    assert set(report["test"]) == {"targets", "all"}


def test_labels_beside_columns_of_text(relufit: Program, tmp_path: Path, rows: list[list[str]]) -> None:
    labelled = [[row[0], row[1], row[2], "cheap" if float(row[3]) < 22 else "dear"] for row in rows]
    write_rows(tmp_path / "cars.csv", ["color", "age", "doors", "price"], labelled)
    report = relufit.json(*TRAIN, *CATEGORICAL, "--task", "classify", "--starts", 5)
    assert report["train"]["accuracy"] > 0.9
    assert report["train"] == relufit.json("evaluate", "cars.json", "cars.csv")
    header, *found = csv.reader(relufit("predict", "cars.json", "cars.csv").splitlines())
    assert header[0] == "label"
    assert np.mean([row[0] == label[3] for row, label in zip(found, labelled)]) == report["train"]["accuracy"]


def test_constraints_and_exports_name_the_inputs(relufit: Program, tmp_path: Path, rows: list[list[str]]) -> None:
    falls = {"input": "color=red", "target": "price", "direction": "decreasing"}
    (tmp_path / "constraints.json").write_text(json.dumps({"monotone": [falls]}))
    relufit(*TRAIN, *CATEGORICAL, "--constraints", "constraints.json")
    checks = relufit.json("evaluate", "cars.json", "cars.csv", "--constraints", "constraints.json")["constraints"]
    assert checks and all(check["holds"] for check in checks)
    relufit("export", "cars.json", "--c", "cars.h")
    assert "[1] 'color=light blue'" in (tmp_path / "cars.h").read_text()
    few = ("--targets", "price", "--hidden", 1, "--inputs", "color", "--categorical", "color")
    relufit("export-sdp", "cars.csv", *few, "--out", "problem.dat-s")
    assert (tmp_path / "problem.dat-s").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ("--categorical color,price", ["--categorical", "'price'", "is a target"]),
        ("--categorical color,doors --sample-weights doors", ["--categorical", "'doors'", "sample weights"]),
        ("--categorical color,colour", ["cars.csv", "no column 'colour'", "'doors'"]),
        ("--categorical color,color", ["--categorical", "'color'", "twice"]),
        ("--categorical color --inputs age", ["--categorical", "'color'", "not among --inputs"]),
        ("--categorical doors", ["cars.csv:2", "'color'", "is not a number", "--categorical"]),
        ("--categorical color --test bad.csv",
         ["bad.csv:3", "column 'color'", "'violet'", "'green', 'light blue', 'red'"]),
        ("--categorical color --validation bad.csv", ["bad.csv:3", "'violet'"]),
    ],
)  # fmt: skip
def test_bad_columns_are_refused(
    relufit: Program, tmp_path: Path, rows: list[list[str]], options: str, fragments: list[str]
) -> None:
    write_rows(tmp_path / "bad.csv", ["color", "age", "doors", "price"], [rows[0], ["violet", "1", "2", "3"]])
    before = contents(tmp_path)
    completed = relufit.run(*TRAIN, *options.split())
    assert completed.returncode == 2 and completed.stderr.count("\n") == 1
    assert all(fragment in completed.stderr for fragment in fragments), completed.stderr
    assert contents(tmp_path) == before


def test_unknown_texts_and_columns_are_refused(relufit: Program, tmp_path: Path, rows: list[list[str]]) -> None:
    relufit(*TRAIN, *CATEGORICAL)
    header = ["color", "age", "doors", "price"]
    for rows_of_file, fragments in (
        ([rows[0], ["violet", *rows[1][1:]]], ["bad.csv:3: column 'color': 'violet' is no level, expected one of"]),
        ([rows[0], ["red", "1", "4.0", "2"]], ["bad.csv:3: column 'doors': '4.0' is no level", "'10', '2', '4'"]),
        ([["", *rows[1][1:]]], ["bad.csv:2: column 'color': missing value, expected a text"]),
    ):
        write_rows(tmp_path / "bad.csv", header, rows_of_file)
        for command in ("predict", "evaluate", "certify"):
            completed = relufit.run(command, "cars.json", "bad.csv")
            assert completed.returncode == 2
            assert all(fragment in completed.stderr for fragment in fragments), completed.stderr
    write_rows(tmp_path / "bad.csv", ["age", "doors"], [["1", "2"]])
    completed = relufit.run("predict", "cars.json", "bad.csv")
    assert completed.returncode == 2 and "bad.csv: no column 'color', expected one of" in completed.stderr
