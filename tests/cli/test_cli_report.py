"""`train --report`: a page by the Python package, with the numbers that the program prints, or nothing at all."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, contents, read_csv, write_csv

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from pages import Page

OPTIONS = ("--hidden", 3, "--iterations", 5, "--model", "m.json")


def page(relufit: Program, name: str = "r.html") -> Page:
    text = (relufit.folder / name).read_text(encoding="utf-8")
    assert "http:" not in text and "https:" not in text
    return Page(text)


def test_numbers_are_those_printed(relufit: Program, diabetes: Path, package: None) -> None:
    (relufit.folder / "c.json").write_text(
        '{"monotone": [{"input": "bmi", "target": "progression", "direction": "increasing"}]}'
    )
    summary = relufit.json("train", diabetes, "--targets", "progression", *OPTIONS, "--constraints", "c.json",
                           "--test-fraction", 0.25, "--report", "r.html")  # fmt: skip
    found = page(relufit)
    for part, numbers in zip(("train", "test"), (found.numbers["measures"][:4], found.numbers["measures"][4:])):
        fit = summary[part]["all"]
        assert numbers == pytest.approx(
            [fit["r2"], fit["mse"] ** 0.5, fit["relative_residual"], fit["largest_error"]], rel=1e-12
        )
    assert found.numbers["choices"] == [summary["ridge"]["chosen"]]
    assert found.numbers["data"][:2] == [331, 111]
    assert found.sections == ["network", "data", "options", "measures", "predictions", "constraints", "responses",
                              "choices", "training"]  # fmt: skip
    said = " ".join(found.texts)
    assert "--test-fraction 0.25" in said and "monotone" in said and "holds" in said
    assert sorted(contents(relufit.folder)) == ["c.json", "m.json", "r.html"]


def test_classes(relufit: Program, package: None) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 2))
    rows = ["a,<b>&,kind"] + [f"{a!r},{b!r},{'<up>' if a > b else 'down'}" for a, b in inputs.tolist()]
    (relufit.folder / "d.csv").write_text("\n".join(rows))
    summary = relufit.json("train", "d.csv", "--task", "classify", "--targets", "kind", "--hidden", "none", "--model", "m.json",
                           "--loss", "logistic", "--validation-fraction", 0.2, "--report", "r.html")  # fmt: skip
    found = page(relufit)
    expected = [summary[part][name] for part in ("train", "validation") for name in ("accuracy", "log_loss")]
    assert found.numbers["measures"] == pytest.approx(expected, rel=1e-9)
    assert "<b>&" in found.texts and "<up>" in found.texts and found.count("b") == 0


def test_exact_loss_and_several_targets(relufit: Program, teacher_csv: Path, package: None) -> None:
    table = read_csv(teacher_csv)
    write_csv(relufit.folder / "two.csv", ["u1", "u2", "y", "z"],
              np.column_stack([table["u1"], table["u2"], table["y"], -table["y"]]))  # fmt: skip
    relufit("train", "two.csv", "--targets", "y,z", "--loss", "exact", *OPTIONS, "--report", "r.html", "--threads", 2)
    assert len(page(relufit).numbers["measures"]) == 8


def test_units_are_told_as_given(relufit: Program, teacher_csv: Path, package: None) -> None:
    for given in ("none", "auto", "2,2"):
        relufit("train", teacher_csv, "--targets", "y", "--hidden", given, "--model", "m.json", "--report", "r.html",
                "--ridge", 0.1, "--iterations", 2, "--time-limit", 20)  # fmt: skip
        texts = page(relufit).texts
        assert texts[texts.index("--hidden") + 1] == given


def test_it_may_go_to_standard_output(relufit: Program, teacher_csv: Path, package: None) -> None:
    text = relufit(
        "train", teacher_csv, "--targets", "y", "--hidden", 3, "--model", "/dev/null", "--report", "/dev/stdout"
    )
    assert text.startswith("<!DOCTYPE html>") and Page(text.partition("</html>")[0] + "</html>").numbers["measures"]


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("none/r.html", "none/r.html: the folder 'none' does not exist"),
        (".", ".: is a folder, expected a file"),
        ("m.json", "m.json: named twice, expected another file to write than 'm.json'"),
        ("teacher.csv", "named twice"),
        ("", "expected the name of a file"),
    ],
)
def test_what_cannot_be_written_is_refused_before_training(
    relufit: Program, teacher_csv: Path, report: str, message: str
) -> None:
    before = contents(relufit.folder)
    refused = relufit.run("train", teacher_csv, "--targets", "y", *OPTIONS, "--report", report)
    assert refused.returncode == 2 and message in refused.stderr and refused.stderr.count("\n") == 1
    assert contents(relufit.folder) == before


def test_without_the_package_nothing_is_trained(relufit: Program, teacher_csv: Path) -> None:
    """No python3 at all: said before training, with what to install."""
    failed = relufit.run("train", teacher_csv, "--targets", "y", *OPTIONS, "--report", "r.html",
                         environment={"PATH": str(relufit.folder)})  # fmt: skip
    assert failed.returncode == 1 and failed.stdout == ""
    assert failed.stderr == (
        "relufit: a report needs the Python package for the python3 of the PATH: pip install '.[report]'\n"
    )
    assert not (relufit.folder / "m.json").exists() and not (relufit.folder / "r.html").exists()
