"""NumPy files through the program, as numpy.save writes them: the same as the numbers in a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, contents, load_model, read_csv, without_times, write_csv

FILES = ("--inputs-file", "x.npy", "--targets-file", "y.npy")
TRAIN = ("--hidden", 3, "--iterations", 10)
TYPES = ("<f8", "<f4", "|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8")


def data(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of that type, and targets with two columns."""
    generator = np.random.default_rng(seed)
    whole = generator.integers(0, 2 if kind[1] == "b" else 100, (30, 3))
    X = (generator.normal(size=(30, 3)) if kind[1] == "f" else whole).astype(kind)
    values = X.astype(float)
    exact = np.column_stack([np.abs(values[:, 0] - values[:, 1]), values.sum(axis=1)])
    return X, exact + generator.normal(size=(30, 2))


@pytest.mark.parametrize("kind", TYPES)
def test_training_is_that_on_a_csv_file(relufit: Program, tmp_path: Path, kind: str) -> None:
    """Bit for bit, whatever type, order and version of the format."""
    X, Y = data(kind, TYPES.index(kind))
    write_csv(tmp_path / "data.csv", ["x0", "x1", "x2", "y0", "y1"], np.hstack([X.astype(float), Y]))
    options = (*TRAIN, "--test-fraction", 0.2)
    expected = relufit.json("train", "data.csv", "--targets", "y0,y1", *options, "--model", "csv.json")
    model = without_times(load_model(tmp_path / "csv.json"))
    np.save(tmp_path / "y.npy", Y)
    for order, version in (("C", (1, 0)), ("F", (2, 0)), ("C", (3, 0))):
        with (tmp_path / "x.npy").open("wb") as file:
            np.lib.format.write_array(file, np.asarray(X, order=order), version=version)
        np.save(tmp_path / "y.npy", np.asarray(Y, order=order))
        found = relufit.json("train", *FILES, *options, "--model", "npy.json")
        assert without_times(load_model(tmp_path / "npy.json")) == model
        assert (found["train"], found["test"]) == (expected["train"], expected["test"])
    assert relufit.json("evaluate", "npy.json", *FILES) == relufit.json("evaluate", "npy.json", "data.csv")
    relufit("predict", "npy.json", "--inputs-file", "x.npy", "--out", "npy.csv")
    relufit("predict", "npy.json", "data.csv", "--out", "csv.csv")
    assert (tmp_path / "npy.csv").read_bytes() == (tmp_path / "csv.csv").read_bytes()


def test_inputs_are_taken_by_position(relufit: Program, tmp_path: Path) -> None:
    X, Y = data("<f8", 1)
    write_csv(tmp_path / "data.csv", ["a", "b", "c", "t"], np.column_stack([X, Y[:, 0]]))
    relufit("train", "data.csv", "--targets", "t", *TRAIN, "--model", "m.json")
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y[:, 0])  # one dimension
    assert relufit.json("evaluate", "m.json", *FILES) == relufit.json("evaluate", "m.json", "data.csv")
    relufit("predict", "m.json", "--inputs-file", "x.npy", "--out", "out.csv")
    assert list(read_csv(tmp_path / "out.csv")) == ["t"]


def test_weights_and_classes(relufit: Program, tmp_path: Path) -> None:
    X, Y = data("<f8", 2)
    labels = (Y[:, 0] > np.median(Y[:, 0])).astype(np.int64) * 3
    weights = np.random.default_rng(3).uniform(0.1, 2, 30).astype(np.float32)
    table = np.column_stack([X, labels, weights])
    write_csv(tmp_path / "data.csv", ["x0", "x1", "x2", "class", "w"], table)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", labels)
    np.save(tmp_path / "w.npy", weights)
    options = ("--task", "classify", *TRAIN, "--ridge", 0.01, "--model")
    relufit("train", "data.csv", "--targets", "class", "--sample-weights", "w", *options, "csv.json")
    relufit("train", *FILES, "--weights-file", "w.npy", *options, "npy.json")
    model = load_model(tmp_path / "npy.json")
    assert model["classification"]["classes"] == ["0", "3"]
    assert without_times(model) == without_times(load_model(tmp_path / "csv.json"))
    assert relufit.json("evaluate", "npy.json", *FILES) == relufit.json("evaluate", "npy.json", "data.csv")


def test_program_for_solvers_is_that_of_a_csv_file(relufit: Program, tmp_path: Path) -> None:
    X, Y = data("<f4", 4)
    write_csv(tmp_path / "data.csv", ["x0", "x1", "y0"], np.column_stack([X[:8, :2].astype(float), Y[:8, 0]]))
    np.save(tmp_path / "x.npy", X[:8, :2])
    np.save(tmp_path / "y.npy", Y[:8, 0])
    relufit("export-sdp", "data.csv", "--targets", "y0", "--hidden", 1, "--out", "csv.dat-s")
    relufit("export-sdp", *FILES, "--hidden", 1, "--out", "npy.dat-s")
    assert (tmp_path / "npy.dat-s").read_bytes() == (tmp_path / "csv.dat-s").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ("train --hidden 2 --model m", ["data", "missing", "--inputs-file"]),
        ("train data.csv XY --hidden 2 --model m", ["--inputs-file", "one of them"]),
        ("train --inputs-file x.npy --hidden 2 --model m", ["--targets-file"]),
        ("train --targets-file y.npy --hidden 2 --model m", ["--targets-file", "expected --inputs-file"]),
        ("train data.csv --targets y --weights-file y.npy --hidden 2 --model m", ["--weights-file", "--inputs-file"]),
        ("train XY --targets y --hidden 2 --model m", ["--targets", "no names"]),
        ("train XY --categorical a --hidden 2 --model m", ["--categorical"]),
        ("train --inputs-file x.npy --targets-file few.npy --hidden 2 --model m",
         ["few.npy: 2 rows of targets, expected 30 as in x.npy"]),
        ("train XY --hidden 2 --model ./x.npy", ["named twice"]),
        ("train XY --hidden 2 --model y.npy", ["named twice"]),
        ("train --inputs-file y.npy --targets-file y.npy --hidden 2 --model m",
         ["y.npy: an array of 1 dimensions, expected 2"]),
        ("train --inputs-file nan.npy --targets-file y.npy --hidden 2 --model m",
         ["nan.npy: row 5, column 2: nan is not"]),
        ("train --inputs-file big.npy --targets-file y.npy --hidden 2 --model m", ["big.npy", "big endian", "'>f8'"]),
        ("train --inputs-file objects.npy --targets-file y.npy --hidden 2 --model m", ["objects.npy", "objects"]),
        ("train --inputs-file cut.npy --targets-file y.npy --hidden 2 --model m", ["cut.npy", "719 bytes of values"]),
        ("train --inputs-file data.csv --targets-file y.npy --hidden 2 --model m", ["data.csv: no NumPy file"]),
        ("train XY --weights-file y.npy --loss exact --hidden 2 --model m",
         ["--weights-file", "--loss exact"]),
        ("predict model.json", ["data", "missing", "--inputs-file"]),
        ("predict model.json --inputs-file wide.npy", ["wide.npy: 4 columns, expected 3, the inputs of the model"]),
        ("predict model.json --inputs-file x.npy --out x.npy", ["named twice"]),
        ("evaluate model.json --inputs-file x.npy", ["--targets-file"]),
        ("evaluate model.json --inputs-file wide.npy --targets-file y.npy", ["wide.npy: 4 columns, expected 3"]),
        ("evaluate model.json --inputs-file x.npy --targets-file two.npy",
         ["two.npy: 2 columns, expected 1, the targets"]),
    ],
)  # fmt: skip
def test_bad_files_are_refused(relufit: Program, tmp_path: Path, arguments: str, fragments: list[str]) -> None:
    X, Y = data("<f8", 5)
    write_csv(tmp_path / "data.csv", ["a", "b", "c", "y"], np.column_stack([X, Y[:, 0]]))
    relufit("train", "data.csv", "--targets", "y", *TRAIN, "--ridge", 0.1, "--model", "model.json")
    with_nan = X.copy()
    with_nan[4, 1] = np.nan
    arrays = {"x": X, "y": Y[:, 0], "two": Y, "few": Y[:2], "nan": with_nan, "big": X.astype(">f8"),
              "objects": X.astype(object), "wide": np.hstack([X, X[:, :1]])}  # fmt: skip
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    before = contents(tmp_path)
    completed = relufit.run(*arguments.replace("XY", "--inputs-file x.npy --targets-file y.npy").split())
    assert completed.returncode == 2 and completed.stderr.count("\n") == 1
    assert all(fragment in completed.stderr for fragment in fragments), completed.stderr
    assert contents(tmp_path) == before
