"""Finds the program under test: RELUFIT_BUILD names the build folder, build/release of this repository by default."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def program() -> Path:
    root = Path(__file__).resolve().parents[2]
    build = root / os.environ.get("RELUFIT_BUILD", "build/release")
    path = build / "solve_subproblem"
    if not path.is_file():
        pytest.fail(f"{path} does not exist: build the target solve_subproblem, or set RELUFIT_BUILD to its folder")
    return path
