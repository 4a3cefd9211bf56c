"""Every command that the documents print runs as printed, in their order, in a folder with the bundled data."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_tools import TIMEOUT, write_csv

REPOSITORY = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
SYNOPSIS = re.compile(r"\[OPTIONS\]|relufit [a-z]+ [A-Z]")
LONG = "# takes minutes"  # how the documents mark what is not run here
HAS_REPORTS = all(importlib.util.find_spec(name) for name in ("relufit", "jinja2"))


def commands(document: str) -> list[str]:
    """Indented lines, in order, that call the program or prepare a file for it; continued lines are one."""
    text = FENCED.sub("", (REPOSITORY / document).read_text(encoding="utf-8")).replace(" \\\n", " ")
    lines = re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE)
    programs = ("relufit ", "head ", "printf ", "csdp ", "python -m relufit ", "python -c ")
    wanted = [line for line in lines if line.startswith(programs)]
    wanted = [line for line in wanted if HAS_REPORTS or "--report" not in line]
    return [line for line in wanted if not SYNOPSIS.search(line) and LONG not in line]


def prepare(folder: Path) -> None:
    """What the commands read beside what other commands before them wrote."""
    shutil.copytree(REPOSITORY / "data", folder / "data")
    settings = FENCED.search((REPOSITORY / "docs" / "constraints.md").read_text(encoding="utf-8"))
    assert settings and settings[1] == "json"
    (folder / "constraints.json").write_text(settings[2])
    header, *rows = (folder / "data" / "diabetes.csv").read_text().splitlines()
    (folder / "corners.csv").write_text(
        "\n".join(",".join(line.split(",")[:-1]) + end for line, end in [(header, ",least"), *((r, ",0") for r in rows[:3])])
    )
    inputs = np.random.default_rng(1).normal(size=(500, 10))
    write_csv(folder / "sum.csv", [*(f"u{i}" for i in range(10)), "y"], np.column_stack([inputs, np.maximum(inputs, 0).sum(axis=1)]))


@pytest.mark.parametrize("document", ["README.md", "docs/checkpoints.md", "docs/command-line.md", "docs/constraints.md", "docs/python.md"])
def test_commands_run_as_printed(document: str, program_path: Path, tmp_path: Path) -> None:
    if "csdp" in " ".join(commands(document)) and not shutil.which("csdp"):
        pytest.skip("csdp is not installed")
    prepare(tmp_path)
    if document == "docs/python.md":  # whose examples write the model first
        shutil.copy(trained(program_path, tmp_path), tmp_path / "diabetes.json")
    shown = commands(document)
    assert shown
    for line in shown:
        completed = run(line, program_path, tmp_path)
        assert completed.returncode == 0, f"{line}\n{completed.stdout}{completed.stderr}"


def test_every_subcommand_is_shown(program_path: Path) -> None:
    shown = " ".join(line for name in ("README.md", "docs/command-line.md") for line in commands(name))
    listed = subprocess.run([program_path, "--help"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^  ([a-z][a-z-]+)  ", listed.partition("ubcommands:")[2] or listed, flags=re.MULTILINE)
    assert "train" in names
    assert [name for name in names if f"relufit {name}" not in shown and name != "import"] == []


def run(line: str, program_path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a shell where `relufit` and `python` are those of the test, and `python3` too."""
    functions = (
        f"relufit() {{ {shlex.quote(str(program_path))} \"$@\"; }}; python() {{ {shlex.quote(sys.executable)} \"$@\"; }}; "
    )
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-c", functions + line], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        timeout=TIMEOUT, check=False,
    )  # fmt: skip


def trained(program_path: Path, folder: Path) -> Path:
    model = folder / "trained.json"
    options = ["--targets", "progression", "--hidden", "10", "--ridge", "0.01", "--model", str(model)]
    subprocess.run([program_path, "train", "data/diabetes.csv", *options], cwd=folder, check=True, capture_output=True)
    return model
