"""The SDPA export: solved by CSDP, its optimum is relufit's objective."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from instances import Instance, random_instance, solve

CSDP = shutil.which("csdp")
pytestmark = pytest.mark.skipif(CSDP is None, reason="csdp (Debian: coinor-csdp) is not installed")


def solve_with_csdp(path: Path) -> tuple[float, float]:
    """Optimum of an SDPA file, c' x with x from the first line of CSDP's solution file (all digits), and its offset."""
    solution = path.with_suffix(".sol")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [CSDP, path, solution], capture_output=True, text=True, check=False, env=environment, cwd=path.parent
    )
    assert done.returncode == 0, done.stdout[-2000:]
    comments = [line for line in path.read_text().splitlines() if line.startswith("*")]
    lines = path.read_text().splitlines()[len(comments) :]
    cost = np.array(lines[3].split(), dtype=float)
    x = np.array(solution.read_text().splitlines()[0].split(), dtype=float)
    assert len(x) == len(cost) == int(lines[0])
    assert comments[-1].startswith("* offset ")
    return float(cost @ x), float(comments[-1].split()[-1])


def check(program: Path, folder: Path, instance: Instance) -> None:
    for split in (False, True):
        path = folder / "subproblem.dat-s"
        result = solve(
            program, instance, folder, tolerance=1e-10, max_iterations=200000, export=str(path), split_products=split
        )
        assert result["status"] == "converged"
        optimum, offset = solve_with_csdp(path)
        assert offset == result["sdp"]["offset"]
        assert abs(result["objective"] - (optimum + offset)) <= 1e-6 * max(1.0, optimum)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("output", ["linear", "relu"])
@pytest.mark.parametrize("loss", ["exact", "squared"])
def test_one_hidden_layer(program: Path, tmp_path: Path, seed: int, output: str, loss: str) -> None:
    ridge = 0.0 if seed % 2 else 0.2
    check(program, tmp_path, random_instance(1000 + seed, 6 + 6 * seed, [3], output, loss, ridge))


@pytest.mark.parametrize("output", ["linear", "relu"])
def test_two_hidden_layers(program: Path, tmp_path: Path, output: str) -> None:
    check(program, tmp_path, random_instance(1100, 10, [3, 2], output))


@pytest.mark.parametrize("output", ["linear", "relu"])
def test_general_scales(program: Path, tmp_path: Path, output: str) -> None:
    check(program, tmp_path, random_instance(1200, 10, [3], output, matrices=True))


@pytest.mark.parametrize("loss", ["exact", "squared"])
def test_output_without_positive_target(program: Path, tmp_path: Path, loss: str) -> None:
    """Whatever leaves the optimum unbounded must be fixed in the export: CSDP needs a strictly feasible dual."""
    instance = random_instance(1300, 10, [3], "relu", loss)
    instance.targets[0] = 0
    check(program, tmp_path, instance)


@pytest.mark.parametrize("output", ["linear", "relu"])
@pytest.mark.parametrize("loss", ["exact", "squared"])
def test_without_biases(program: Path, tmp_path: Path, output: str, loss: str) -> None:
    instance = random_instance(1500, 8, [3], output, loss)
    instance.bias = False
    if output == "relu":
        instance.targets[0] = 0
    check(program, tmp_path, instance)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_dependent_inputs(program: Path, tmp_path: Path, ridge: float) -> None:
    instance = random_instance(1400, 6, [2], ridge=ridge, inputs=8)
    instance.inputs[1] = 2.0
    instance.inputs[2] = 2 * instance.inputs[0]
    check(program, tmp_path, instance)
