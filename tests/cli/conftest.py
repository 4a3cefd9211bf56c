"""Fixtures: the program under test (RELUFIT_BUILD names the build folder, build/release by default) and data for it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_tools import Program, write_csv  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program_path() -> Path:
    path = REPOSITORY / os.environ.get("RELUFIT_BUILD", "build/release") / "relufit"
    if not path.is_file():
        pytest.fail(f"{path} does not exist: build the target relufit-cli, or set RELUFIT_BUILD to its folder")
    return path


@pytest.fixture(scope="session")
def faults(program_path: Path) -> Path:
    """Loaded into the program, makes a call of it fail."""
    path = program_path.parent / "librelufit-faults.so"
    if not path.is_file():
        pytest.skip("no target relufit-faults in this build")
    return path


@pytest.fixture
def relufit(program_path: Path, tmp_path: Path) -> Program:
    """The program, started in the test's own folder."""
    return Program(program_path, tmp_path)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reports are made with, for the program as well."""
    for name in ("relufit", "jinja2"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"no package {name}")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def diabetes() -> Path:
    return REPOSITORY / "data" / "diabetes.csv"


@pytest.fixture
def teacher_csv(tmp_path: Path) -> Path:
    """Columns u1, u2, y of a 2-2-1 network with linear output: an exact fit exists."""
    generator = np.random.default_rng(7)
    inputs = generator.normal(size=(40, 2))
    hidden = np.maximum(0.0, inputs @ np.array([[1.2, -0.7], [0.5, 0.9]]).T + np.array([0.1, -0.2]))
    path = tmp_path / "teacher.csv"
    write_csv(path, ["u1", "u2", "y"], np.column_stack([inputs, hidden @ np.array([0.8, -1.1]) + 0.3]))
    return path
