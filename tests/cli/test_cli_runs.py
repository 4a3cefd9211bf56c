"""Long runs that are cut short, and the commands reproduce and export-sdp."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cli_tools import TIMEOUT, Program, forward, load_model, read_csv

ENDLESS = ("--targets", "progression", "--hidden", 20, "--iterations", 1000000000, "--tolerance", 1e-300)
RELAXATION = ("--ridge", 0.003, "--no-polish")
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


@contextmanager
def endless_training(relufit: Program, data: Path, options: tuple = (), ignored: int | None = None) -> Iterator:
    """A training that has begun, and its terminal; the program is started with a signal ignored, and no other, whatever
    those who run the tests ignore (nohup, a shell's background)."""

    def set_signals() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

    terminal, their_end = pty.openpty()
    arguments = ["train", data, *ENDLESS, *options, "--model", "model.json", "--json"]
    with subprocess.Popen(
        [str(relufit.path), *map(str, arguments)],
        cwd=relufit.folder,
        stdout=subprocess.PIPE,
        stderr=their_end,
        text=True,
        preexec_fn=set_signals,
    ) as process:
        os.close(their_end)
        # The progress line, shown on a terminal only, tells that training has started.
        seen = b""
        while b"iteration" not in seen:
            new = read_terminal(terminal)
            assert new, seen
            seen += new
        yield process, terminal
    os.close(terminal)


def summary_after(process: subprocess.Popen[str], terminal: int) -> dict:
    while read_terminal(terminal):
        pass
    output, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    return json.loads(output)


@pytest.mark.parametrize(
    "options",
    [
        (),
        RELAXATION,
        (*RELAXATION, "--inner-iterations", 0),
        (*RELAXATION, "--starts", 4, "--threads", 2),
        SEARCH,
        PROJECTIONS,
    ],
)
def test_interrupted_training_saves_its_best_network(relufit: Program, diabetes: Path, options: tuple) -> None:
    with endless_training(relufit, diabetes, options) as (process, terminal):
        process.send_signal(signal.SIGINT)
        assert summary_after(process, terminal)["status"] == "interrupted"
    model = load_model(relufit.folder / "model.json")
    assert model["training"]["status"] == "interrupted"
    relufit("predict", "model.json", diabetes, "--out", "out.csv")
    predictions = read_csv(relufit.folder / "out.csv")["progression"]
    np.testing.assert_allclose(predictions, forward(model, read_csv(diabetes))[:, 0], rtol=1e-10, atol=0)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_interrupt_as_well(relufit: Program, diabetes: Path, ending: int) -> None:
    with endless_training(relufit, diabetes) as (process, terminal):
        process.send_signal(ending)
        assert summary_after(process, terminal)["status"] == "interrupted"
    assert load_model(relufit.folder / "model.json")["training"]["status"] == "interrupted"


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_the_parent_ignores_stays_ignored(relufit: Program, diabetes: Path, ignored: int) -> None:
    with endless_training(relufit, diabetes, ignored=ignored) as (process, terminal):
        process.send_signal(ignored)
        seen = b"".join(read_terminal(terminal) for _ in range(5))  # it goes on
        assert b"iteration" in seen and process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert summary_after(process, terminal)["status"] == "interrupted"


def test_training_ends_well_without_its_terminal(relufit: Program, diabetes: Path) -> None:
    with endless_training(relufit, diabetes) as (process, terminal):
        os.dup2(os.open(os.devnull, os.O_RDWR), terminal)  # closes it
        process.send_signal(signal.SIGHUP)
        output, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 130
        assert json.loads(output)["status"] == "interrupted"
    assert (relufit.folder / "model.json").exists()


@pytest.mark.parametrize("options", [RELAXATION, (*RELAXATION, "--inner-iterations", 0), SEARCH, PROJECTIONS])
def test_time_limit(relufit: Program, diabetes: Path, options: tuple) -> None:
    summary = relufit.json("train", diabetes, *ENDLESS, *options, "--time-limit", 0.3, "--model", "model.json")
    assert summary["status"] == "time limit"
    record = load_model(relufit.folder / "model.json")["training"]
    assert 0.3 <= summary["seconds"] == record["seconds"] < 10
    assert record["status"] == "time limit"


@needs_gnuplot
def test_reproduce_true(relufit: Program) -> None:
    output = relufit("reproduce", "true", "--out", "new/folder")
    rows = re.findall(r"^ +\d+ +\w.*e-\d+.*$", output, re.MULTILINE)
    assert len(rows) == 20
    assert re.search(r"all violations below 1e-08: \d+ of 20 seeds", output)
    trace = read_csv(relufit.folder / "new/folder/true.csv")
    assert set(trace["start"]) == set(range(20))
    assert "<svg" in (relufit.folder / "new/folder/true.svg").read_text()


def test_reproduce_with_own_updates(relufit: Program) -> None:
    """By convex steps alone, from next to zero; the source's own has no success there."""
    output = relufit("reproduce", "zero", "--starts", 3, "--out", ".")
    assert re.search(r"all violations below 1e-08: 0 of 5 seeds", output)
    rows = re.findall(r"^ +(\d) +(yes|no) +([123]) .* (\S+) +\S+$", output, re.MULTILINE)
    assert [int(row[0]) for row in rows] == list(range(5))
    solved = [row for row in rows if row[1] == "yes"]
    assert solved and all(float(row[3]) <= 1e-6 for row in solved)
    assert f"right outputs (to 1e-06, relative): {len(solved)} of 5 seeds" in output
    trace = read_csv(relufit.folder / "zero-own.csv")
    assert min(trace["fit"]) <= 1e-6 and max(trace["iteration"]) <= 50
    assert {int(row[0]) for row in solved} <= set(trace["start"])


def test_reproduce_goes_on_where_perturbed_values_stall(relufit: Program) -> None:
    """Seed 6 is one that the source's updates do not solve."""
    output = relufit("reproduce", "perturbed", "--first-seed", 6, "--seeds", 1, "--out", ".")
    assert len(re.findall(r"all violations below 1e-08: 0 of 1 seeds", output)) == 4
    (row,) = re.findall(r"^ +6 +yes +1 +(\d+) +0 .* (\S+) +\S+$", output, re.MULTILINE)
    assert int(row[0]) >= 1 and float(row[1]) <= 1e-6
    assert "right outputs (to 1e-06, relative): 1 of 1 seeds" in output
    trace = read_csv(relufit.folder / "perturbed-own.csv")
    assert trace["fit"][-1] <= 1e-6 and max(trace["iteration"]) <= 50


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
    weights = ["--lambda-pair", 2, "--lambda-product", 3, *(("--ridge", 0.01) if loss == "squared" else ())]
    weights += ["--random-scale", 0.3, "--pair-scale", 1, "--left-scale", 1, "--right-scale", 1]  # also without polish
    problem = ("few.csv", "--targets", "y", "--hidden", 2, "--loss", loss, *weights, *bias)
    relufit("export-sdp", *problem, "--out", "problem.dat-s")
    relufit(
        "train", *problem, "--no-polish", "--inner-iterations", 0, "--iterations", 1, "--model", "model.json",
        "--trace", "trace.csv",
    )  # fmt: skip
    objective = read_csv(relufit.folder / "trace.csv")["objective"][0]
    assert objective_of_csdp(relufit, "problem.dat-s") == pytest.approx(objective, rel=1e-5, abs=1e-5)
