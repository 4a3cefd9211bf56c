"""The examples of README.md and docs/python.md run as printed, and the package's commands do what they say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from models import random_inputs, random_model, scaled_error

import relufit
from relufit.__main__ import main

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pytest.importorskip("onnx")
pytest.importorskip("jinja2")

REPOSITORY = Path(__file__).resolve().parents[2]


def examples(document: str) -> str:
    """All Python code of a document, in order."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("document", ["README.md", "docs/python.md"])
def test_examples_run(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(REPOSITORY / "data" / "diabetes.csv", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    code = examples(document)
    assert code
    exec(compile(code, document, "exec"), {"__name__": "example"})
    assert relufit.Model.load("diabetes.json").widths[0] == 10


def test_proofs_run() -> None:
    pytest.importorskip("highspy")
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(examples("docs/control.md"), "docs/control.md", "exec"), names)
    assert names["error"].found > abs(names["near"].predict(names["X"])[:, 0] - names["u"]).max() > 1e-4
    assert names["equal"].bound < 1e-8 and names["loop"].status == "invariant"


def test_examples_of_checkpoints_run_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(REPOSITORY / "data" / "diabetes.csv", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    results = []
    for _ in range(2):
        names: dict = {"__name__": "example"}
        exec(compile(examples("docs/checkpoints.md"), "docs/checkpoints.md", "exec"), names)
        results.append(names["result"])
    assert results[0].seconds_before == 0 < results[1].seconds_before


def test_onnx_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, again = random_model(2), str(tmp_path / "again.json")
    first, file = str(tmp_path / "model.json"), str(tmp_path / "model.onnx")
    model.save(first)
    assert main(["export", first, "--onnx", file, "--dtype", "float64"]) == 0
    assert main(["import", file, "--model", again]) == 0
    inputs = random_inputs(model, 10)
    assert scaled_error(model, relufit.Model.load(again).predict(inputs), model.predict(inputs)) < 1e-12
    assert main(["export", str(tmp_path / "none.json"), "--onnx", file]) == 2
    assert main(["import", str(tmp_path / "none.onnx"), "--model", again]) == 2
    messages = capsys.readouterr().err.splitlines()
    assert len(messages) == 2 and all(line.startswith("relufit: ") and "none." in line for line in messages)


def test_version_is_that_of_the_build_files() -> None:
    text = (REPOSITORY / "CMakeLists.txt").read_text()
    assert relufit.__version__ == re.search(r"project\(relufit VERSION ([0-9.]+)", text).group(1)


def test_every_header_has_its_place_in_the_reference() -> None:
    pages = "".join(page.read_text() for page in (REPOSITORY / "docs" / "reference").glob("cpp-*.rst"))
    listed = re.findall(r"^\.\. header:: (.+)$", pages, flags=re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (REPOSITORY / "include" / "relufit").glob("*.h"))
