"""Runs an example through the program under test (RELUFIT_BUILD names the build folder, build/release by default)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "cli"))

TIMEOUT = 300.0


@pytest.fixture
def run_example(tmp_path: Path) -> Callable[..., str]:
    """Runs the script of a name, its files in the test's own folder; returns what it prints."""
    program = REPOSITORY / os.environ.get("RELUFIT_BUILD", "build/release") / "relufit"
    if not program.is_file():
        pytest.fail(f"{program} does not exist: build the target relufit-cli, or set RELUFIT_BUILD to its folder")

    def run(name: str, *options: str, takes_program: bool = True) -> str:
        script = REPOSITORY / "examples" / name / f"{name}.py"
        command = [sys.executable, script, "--out", tmp_path, *options]
        command += ["--program", program] if takes_program else []
        completed = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert completed.returncode == 0, completed.stderr
        assert completed.stderr == ""
        return completed.stdout

    return run
