"""`relufit export`: the header compiles as strict C99 and computes what `predict` prints."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, contents, load_model, read_csv

MAIN = """
#include <stdio.h>
#include "{header}"
int main(void) {{
  {real} inputs[{macro}_INPUTS], outputs[{macro}_OUTPUTS];
  double a, b;
  while (scanf("%lf,%lf", &a, &b) == 2) {{
    inputs[0] = ({real})a;
    inputs[1] = ({real})b;
    {name}_predict(inputs, outputs);
    printf("%.17g\\n", (double)outputs[0]);
  }}
  return 0;
}}
"""


@pytest.fixture
def model(relufit: Program, teacher_csv: Path) -> Path:
    path = relufit.folder / "my net.json"
    relufit("train", teacher_csv, "--targets", "y", "--hidden", "2", "--iterations", "20", "--model", path)
    return path


@pytest.mark.parametrize(
    "options, name, real, tolerance",
    [
        ([], "my_net", "double", 1e-12),
        (["--name", "Net2"], "Net2", "double", 1e-12),
        (["--float32"], "my_net", "float", 1e-5),
    ],
)
def test_header_agrees(relufit: Program, model: Path, teacher_csv: Path, options: list, name: str, real: str,
                       tolerance: float) -> None:  # fmt: skip
    header = relufit.folder / "my net.h"
    assert relufit("export", model, "--c", header, *options) == ""
    (relufit.folder / "main.c").write_text(MAIN.format(header=header.name, macro=name.upper(), name=name, real=real))
    flags = "-std=c99 -Wall -Wextra -pedantic -Werror".split()
    subprocess.run(["cc", *flags, "main.c", "-o", "main"], cwd=relufit.folder, check=True)
    rows = "\n".join(",".join(line.split(",")[:2]) for line in teacher_csv.read_text().splitlines()[1:])
    run = subprocess.run([relufit.folder / "main"], input=rows, capture_output=True, text=True, check=True)
    relufit("predict", model, teacher_csv, "--out", "predictions.csv")
    expected = read_csv(relufit.folder / "predictions.csv")["y"]
    scale = load_model(model)["target_scaling"]["scale"][0]
    np.testing.assert_allclose(np.array(run.stdout.split(), dtype=float), expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["my net.json"], "--c, --onnx: expected one of them"),
        (["none.json", "--c", "net.h"], "none.json"),
        (["my net.json", "--c", "none/net.h"], "none/net.h: the folder 'none' does not exist"),
        (["my net.json", "--c", "my net.json"], "my net.json: named twice"),
        (["my net.json", "--c", "net.h", "--name", "a b"], "name: 'a b' is not a name in C"),
    ],
)
def test_bad_input_is_refused(relufit: Program, model: Path, arguments: list[str], message: str) -> None:
    before = contents(relufit.folder)
    run = relufit.run("export", *arguments)
    assert run.returncode == 2
    assert message in run.stderr and len(run.stderr.splitlines()) == 1
    assert contents(relufit.folder) == before


def test_onnx_there_and_back(relufit: Program, model: Path, teacher_csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the Python package of the interpreter that runs the tests."""
    for package in ("relufit", "onnx"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"no package {package}")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    relufit("export", model, "--onnx", "net.onnx", "--float64", "--opset", 14)
    for opset in (7, 8):
        assert relufit("export", model, "--onnx", f"opset{opset}.onnx", "--opset", opset) == ""
    relufit("import", "net.onnx", "--model", "again.json")
    relufit("export", model, "--onnx", "net.onnx", "--float64", "--bounds", teacher_csv)
    table = read_csv(teacher_csv)
    assert json.loads((relufit.folder / "net.onnx.bounds.json").read_text()) == [
        {"key": i, "lower_bound": table[name].min(), "upper_bound": table[name].max()}
        for i, name in enumerate(load_model(model)["input_names"])
    ]
    for name in (model, "again.json"):
        relufit("predict", name, teacher_csv, "--out", f"{Path(name).stem}.csv")
    first, second = (read_csv(relufit.folder / f"{stem}.csv")["y"] for stem in (model.stem, "again"))
    np.testing.assert_allclose(first, second, rtol=1e-12)
    refused = relufit.run("export", model, "--onnx", "old.onnx", "--opset", 3)
    assert refused.returncode == 2 and "opset: 3, expected at least 7" in refused.stderr


@pytest.mark.parametrize("path", [None, ":{folder}/packages", "{folder}/packages::"])
def test_files_of_one_s_own_are_no_modules(relufit: Program, model: Path, path: str | None,
                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Files and folders with the names of modules beside the models, with empty entries of PYTHONPATH, too."""
    if importlib.util.find_spec("relufit") is None or importlib.util.find_spec("onnx") is None:
        pytest.skip("no package relufit, or no onnx")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    for name in ("relufit", "onnx", "numpy", "json", "runpy", "sitecustomize", "importlib", "argparse"):
        (relufit.folder / f"{name}.py").write_text("print('mine')\nraise SystemExit(5)\n")
    packages = relufit.folder / "packages"
    packages.mkdir()
    (packages / "usercustomize.py").write_text("")
    environment = {} if path is None else {"PYTHONPATH": path.format(folder=relufit.folder)}
    for arguments in (("export", model, "--onnx", "net.onnx"), ("import", "net.onnx", "--model", "again.json")):
        completed = relufit.run(*arguments, environment=environment)
        assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "")
    assert load_model(relufit.folder / "again.json")["input_names"] == load_model(model)["input_names"]


def test_packages_of_pythonpath_are_found(relufit: Program, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    package = relufit.folder / "packages" / "relufit"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("def main():\n    print('mine')\n    return 0\n")
    completed = relufit.run(
        "export", model, "--onnx", "net.onnx", environment={"PYTHONPATH": str(relufit.folder / "packages")}
    )
    assert (completed.returncode, completed.stdout) == (0, "mine\n")


def test_onnx_without_the_package(relufit: Program, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(relufit.folder))
    for arguments in (("export", model, "--onnx", "net.onnx"), ("import", "net.onnx", "--model", "again.json")):
        completed = relufit.run(*arguments)
        assert completed.returncode == 1 and "ONNX needs the Python package" in completed.stderr


@pytest.mark.parametrize(
    "options, message",
    [
        ((), "--c, --onnx: expected one of them"),
        (("--c", "a.h", "--onnx", "a.onnx"), "--c, --onnx: expected one of them"),
        (("--c", "a.h", "--opset", 13), "--opset, --float64, --scores, --bounds: options of --onnx"),
        (("--onnx", "a.onnx", "--float32"), "--name, --float32: options of --c"),
    ],
)
def test_bad_kinds_of_export(relufit: Program, model: Path, options: tuple, message: str) -> None:
    completed = relufit.run("export", model, *options)
    assert completed.returncode == 2 and message in completed.stderr
    assert not (relufit.folder / "a.h").exists() and not (relufit.folder / "a.onnx").exists()
