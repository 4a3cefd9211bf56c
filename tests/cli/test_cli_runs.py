"""Long runs that are cut short, and the commands reproduce and export-sdp."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cli_tools import TIMEOUT, Program, forward, load_model, read_csv

ENDLESS = ("--targets", "progression", "--hidden", 20, "--iterations", 1000000000, "--tolerance", 1e-300)
SEARCH = ("--loss", "exact", "--method", "search")
PROJECTIONS = ("--loss", "exact", "--fixed-output", "ones")
needs_csdp = pytest.mark.skipif(shutil.which("csdp") is None, reason="csdp is not installed")
needs_gnuplot = pytest.mark.skipif(shutil.which("gnuplot") is None, reason="gnuplot is not installed")


def read_terminal(descriptor: int) -> bytes:
    """What a program wrote to its terminal; nothing once it has ended."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize(
    "options", [(), ("--inner-iterations", 0), ("--starts", 4, "--threads", 2), SEARCH, PROJECTIONS]
)
def test_interrupted_training_saves_its_best_network(relufit: Program, diabetes: Path, options: tuple) -> None:
    # The progress line, shown on a terminal only, tells that training has started.
    terminal, their_end = pty.openpty()
    arguments = ["train", diabetes, *ENDLESS, *options, "--model", "model.json", "--json"]
    command = [str(relufit.path), *map(str, arguments)]
    with subprocess.Popen(command, cwd=relufit.folder, stdout=subprocess.PIPE, stderr=their_end, text=True) as process:
        os.close(their_end)
        seen = b""
        while b"iteration" not in seen:
            new = read_terminal(terminal)
            assert new, seen
            seen += new
        process.send_signal(signal.SIGINT)
        while read_terminal(terminal):
            pass
        output, _ = process.communicate(timeout=TIMEOUT)
    os.close(terminal)
    assert process.returncode == 130
    assert json.loads(output)["status"] == "interrupted"
    model = load_model(relufit.folder / "model.json")
    assert model["training"]["status"] == "interrupted"
    relufit("predict", "model.json", diabetes, "--out", "out.csv")
    predictions = read_csv(relufit.folder / "out.csv")["progression"]
    np.testing.assert_allclose(predictions, forward(model, read_csv(diabetes))[:, 0], rtol=1e-10, atol=0)


@pytest.mark.parametrize("options", [(), ("--inner-iterations", 0), SEARCH, PROJECTIONS])
def test_time_limit(relufit: Program, diabetes: Path, options: tuple) -> None:
    summary = relufit.json("train", diabetes, *ENDLESS, *options, "--time-limit", 0.3, "--model", "model.json")
    assert summary["status"] == "time limit"
    assert 0.3 <= summary["seconds"] < 10
    assert load_model(relufit.folder / "model.json")["training"]["status"] == "time limit"


@needs_gnuplot
def test_reproduce_true(relufit: Program) -> None:
    output = relufit("reproduce", "true", "--out", "new/folder")
    rows = re.findall(r"^ +\d+ +\w.*e-\d+.*$", output, re.MULTILINE)
    assert len(rows) == 20
    assert re.search(r"all violations below 1e-08: \d+ of 20 seeds", output)
    trace = read_csv(relufit.folder / "new/folder/true.csv")
    assert set(trace["start"]) == set(range(20))
    assert "<svg" in (relufit.folder / "new/folder/true.svg").read_text()


def objective_of_csdp(relufit: Program, file: str) -> float:
    """The optimum of the program, offset included."""
    completed = subprocess.run(
        ["csdp", file], cwd=relufit.folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert "Success: SDP solved" in completed.stdout, completed.stdout
    optimum = re.search(r"Dual objective value: (\S+)", completed.stdout)
    offset = re.search(r"^\* offset (\S+)$", (relufit.folder / file).read_text(), re.MULTILINE)
    assert optimum and offset
    return float(optimum[1]) + float(offset[1])


@needs_csdp
@pytest.mark.parametrize("bias", [(), ("--no-bias",)])
@pytest.mark.parametrize("loss", ["exact", "squared"])
def test_exported_program_is_the_first_problem_of_train(
    relufit: Program, teacher_csv: Path, loss: str, bias: tuple[str, ...]
) -> None:
    rows = teacher_csv.read_text().splitlines()[:11]
    (relufit.folder / "few.csv").write_text("\n".join(rows) + "\n")
    weights = ("--lambda-relu", 2, "--lambda-product", 3)
    problem = ("few.csv", "--targets", "y", "--hidden", 2, "--loss", loss, *weights, *bias)
    relufit("export-sdp", *problem, "--out", "problem.dat-s")
    relufit(
        "train", *problem, "--inner-iterations", 0, "--iterations", 1, "--model", "model.json", "--trace", "trace.csv"
    )
    objective = read_csv(relufit.folder / "trace.csv")["objective"][0]
    assert objective_of_csdp(relufit, "problem.dat-s") == pytest.approx(objective, rel=1e-5, abs=1e-5)
