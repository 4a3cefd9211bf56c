"""Several processes by MPI train, predict and evaluate as one does, to the last bit.

The program is that of the preset `mpi` (scripts/test.sh builds it), started by mpirun with real processes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli_tools import write_csv

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "scripts"))
from processes import processes_in  # noqa: E402

PROGRAM = REPOSITORY / os.environ.get("RELUFIT_MPI_BUILD", "build/mpi") / "relufit"


def mpi_starts() -> bool:
    """Whether there is the program, and an MPI that can start anything here."""
    if not PROGRAM.is_file() or shutil.which("mpirun") is None:
        return False
    return (
        subprocess.run(["mpirun", "-n", "3", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        == 0
    )


pytestmark = pytest.mark.skipif(not mpi_starts(), reason="needs MPI and a build of the preset mpi")


def start(folder: Path, ranks: int, *arguments: str | Path, **options) -> subprocess.Popen:
    command = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    command += [str(PROGRAM), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # What libraries of MPI say of machines without /sys is not the program's.
    quiet = {**os.environ, "UCX_LOG_LEVEL": "fatal", "HWLOC_HIDE_ERRORS": "2"}
    return subprocess.Popen(command, cwd=folder, env=quiet, **pipes, **options)


def run(folder: Path, ranks: int, *arguments: str | Path, code: int = 0) -> tuple[str, str]:
    with start(folder, ranks, *arguments) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out, err


def ranks_in(folder: Path) -> list[int]:
    return processes_in(folder, PROGRAM)


def told_rank(process: int) -> int:
    """What mpirun has told this process."""
    told = dict(part.partition("=")[::2] for part in Path(f"/proc/{process}/environ").read_text().split("\0"))
    return int(next(told[name] for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK") if name in told))


def wait_for_none(folder: Path) -> None:
    """Until what a killed mpirun had started has ended, too."""
    for _ in range(600):
        for rank in ranks_in(folder):
            os.kill(rank, signal.SIGKILL)
        if not ranks_in(folder):
            return
        time.sleep(0.05)
    pytest.fail("processes that do not end")


def weights(path: Path) -> str:
    """All of a model but how long it took."""
    model = json.loads(path.read_text())
    del model["training"]["seconds"]
    return json.dumps(model)


def random_data(path: Path, samples: int, inputs: int, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    u = generator.normal(size=(samples, inputs))
    hidden = np.maximum(0, u @ generator.normal(size=(inputs, 4)) / np.sqrt(inputs))
    y = hidden @ generator.normal(size=(4, 2)) + 0.1 * generator.normal(size=(samples, 2))
    names = [f"u{i}" for i in range(inputs)] + ["y", "z", "w", "label"]
    rows = [
        [*map(repr, row), ("b" if row[inputs] > 0 else "a")]
        for row in np.column_stack([u, y, generator.random(samples)]).tolist()
    ]
    path.write_text("\n".join(",".join(row) for row in [names, *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many rows that, with 80 units, they stay with their processes."""
    return random_data(tmp_path_factory.mktemp("large") / "large.csv", 3100, 16, 1)


@pytest.fixture(scope="module")
def largest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many rows that a training descends on batches of them."""
    return random_data(tmp_path_factory.mktemp("largest") / "largest.csv", 21000, 8, 2)


INPUTS = ["--inputs", ",".join(f"u{i}" for i in range(16))]
WIDE = [*INPUTS, "--hidden", "100", "--ridge", "0.01", "--iterations", "3"]
APART = {
    "relaxation": ["--targets", "y", *WIDE, "--no-polish"],
    "absolute": ["--targets", "y", *WIDE, "--loss", "absolute"],
    "weights": ["--targets", "y", *WIDE, "--sample-weights", "w", "--no-polish", "--test-fraction", "0.1"],
    "deep": ["--targets", "y,z", *INPUTS, "--hidden", "40,30", "--lasso", "0.001", "--ridge", "0", "--iterations", "3"],
    "skip": ["--targets", "y", *WIDE, "--skip-connections", "--group-lasso", "0.01"],
    "classes": ["--task", "classify", "--targets", "label", *WIDE, "--no-polish"],
}
TOGETHER = {
    "defaults": ["--targets", "progression", "--hidden", "5"],
    "starts": ["--targets", "progression", "--hidden", "6", "--ridge", "0.01", "--starts", "5"],
    "absolute": ["--targets", "progression", "--hidden", "4", "--loss", "absolute", "--iterations", "30"],
    "deep": ["--targets", "progression", "--hidden", "4,3", "--ridge", "0.1", "--starts", "2"],
    "units": ["--targets", "progression", "--hidden", "auto", "--ridge", "0.1"],
}


def assert_same_for_all(folder: Path, data: Path, arguments: list[str], ranks: tuple[int, ...] = (2, 3, 5)) -> None:
    run(folder, 1, "train", data, *arguments, "--model", "1.json")
    expected = weights(folder / "1.json")
    for count in ranks:
        threads = ["--threads", "2"] if count == 2 else []
        run(folder, count, "train", data, *arguments, *threads, "--model", f"{count}.json")
        assert weights(folder / f"{count}.json") == expected, f"{count} processes"


@pytest.mark.parametrize("name", APART)
def test_samples_apart_make_the_same_network(tmp_path: Path, large: Path, name: str):
    assert_same_for_all(tmp_path, large, APART[name], (2, 3, 5) if name == "relaxation" else (3,))


def test_descent_on_batches_of_samples_apart_makes_the_same_network(tmp_path: Path, largest: Path):
    inputs = ",".join(f"u{i}" for i in range(8))
    arguments = ["--targets", "y", "--inputs", inputs, "--hidden", "25", "--ridge", "0.3"]
    assert_same_for_all(tmp_path, largest, arguments, (3,))


@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_of_numpy_files_make_the_same_network(tmp_path: Path, order: str):
    generator = np.random.default_rng(5)
    X = generator.normal(size=(3100, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", np.asarray(X, order=order))
    np.save(tmp_path / "y.npy", np.abs(X[:, 0]) + 0.1 * generator.normal(size=3100))
    np.save(tmp_path / "w.npy", generator.random(3100))
    files = ["--inputs-file", "x.npy", "--targets-file", "y.npy", "--weights-file", "w.npy"]
    options = ["--hidden", "100", "--ridge", "0.01", "--iterations", "3", "--no-polish"]
    run(tmp_path, 1, "train", *files, *options, "--model", "1.json")
    for count in (2, 3):
        run(tmp_path, count, "train", *files, *options, "--model", f"{count}.json")
        assert weights(tmp_path / f"{count}.json") == weights(tmp_path / "1.json")


@pytest.mark.parametrize("name", TOGETHER)
def test_starts_dealt_out_make_the_same_network(tmp_path: Path, diabetes: Path, name: str):
    assert_same_for_all(tmp_path, diabetes, TOGETHER[name], (2, 3))


def test_path_on_few_rows_makes_the_same_network(tmp_path: Path, large: Path):
    inputs = ",".join(f"u{i}" for i in range(16))
    arguments = ["--targets", "y", "--inputs", inputs, "--hidden", "100", "--ridge", "0.3"]
    assert_same_for_all(tmp_path, large, arguments, (2,))


def test_exact_fits_make_the_same_network(tmp_path: Path, teacher_csv: Path):
    arguments = ["--targets", "y", "--hidden", "2", "--loss", "exact"]
    assert_same_for_all(tmp_path, teacher_csv, [*arguments, "--starts", "4"], (2, 3))
    assert_same_for_all(tmp_path, teacher_csv, [*arguments, "--method", "relaxation", "--starts", "3"], (2,))


def test_reports_are_those_of_one_process(tmp_path: Path, large: Path):
    run(tmp_path, 1, "train", large, *APART["relaxation"], "--model", "m.json")
    for command in (["predict", "m.json", large], ["evaluate", "m.json", large, "--json"]):
        assert run(tmp_path, 3, *command)[0] == run(tmp_path, 1, *command)[0]
    out, err = run(tmp_path, 3, "train", large, *APART["weights"], "--model", "n.json", "--json", "--trace", "t.csv")
    alone, _ = run(tmp_path, 1, "train", large, *APART["weights"], "--model", "n.json", "--json", "--trace", "u.csv")
    several, one = json.loads(out), json.loads(alone)
    assert several["train"] == one["train"] and several["test"] == one["test"]
    assert several["violations"] == one["violations"]
    assert "relufit" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.csv", "--targets", "y", "--hidden", "2", "--model", "m.json"], "none.csv: cannot be read"),
        (["train", "few.csv", "--targets", "q", "--hidden", "2", "--model", "m.json"], "no column 'q'"),
        (["train", "few.csv", "--targets", "y", "--hidden", "2", "--model", "no/m.json"], "no/m.json"),
        (["train", "few.csv", "--targets", "y", "--hidden", "-2", "--model", "m.json"], "--hidden"),
        (["train", "few.csv", "--targets", "y", "--ridge", "-1", "--hidden", "2", "--model", "m.json"], "ridge"),
        (["certify", "m.json", "few.csv"], "expected one"),
        (
            ["train", "--inputs-file", "x.npy", "--targets-file", "y.npy", "--hidden", "2", "--model", "m.json"],
            "x.npy: row 20, column 2: nan is not a finite number",
        ),
    ],
)
def test_bad_input_is_told_once(tmp_path: Path, arguments: list[str], message: str):
    rows = np.random.default_rng(1).normal(size=(20, 2))
    write_csv(tmp_path / "few.csv", ["u", "y"], rows)
    np.save(tmp_path / "y.npy", rows[:, 0])
    rows[19, 1] = np.nan  # no other rank reads it
    np.save(tmp_path / "x.npy", rows)
    out, err = run(tmp_path, 3, *arguments, code=2)
    lines = [line for line in err.splitlines() if line.startswith("relufit: ")]
    assert len(lines) == 1 and message in lines[0], err
    assert out == "" and not (tmp_path / "m.json").exists()


@pytest.mark.parametrize("apart", [True, False])
def test_killed_at_any_moment_and_resumed_by_other_numbers(tmp_path: Path, large: Path, diabetes: Path, apart: bool):
    data = [large, *APART["relaxation"]] if apart else [diabetes, *TOGETHER["starts"]]
    run(tmp_path, 1, "train", *data, "--model", "whole.json")
    kept = ["--checkpoint", "c.ckpt", "--checkpoint-interval", "0", "--resume", "--model", "m.json"]
    moments = np.random.default_rng(3).uniform(0.3, 1.5, size=6)
    for i, moment in enumerate(moments):
        with start(tmp_path, (3, 2, 1, 4)[i % 4], "train", *data, *kept, start_new_session=True) as process:
            try:
                process.communicate(timeout=moment)
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                wait_for_none(tmp_path)
    run(tmp_path, 2, "train", *data, *kept)
    assert weights(tmp_path / "m.json") == weights(tmp_path / "whole.json")
    out, err = run(tmp_path, 2, "train", *data, "--checkpoint", "c.ckpt", "--model", "m.json", code=2)
    assert "a file is there" in err


@pytest.mark.parametrize(("lost", "apart"), [(0, True), (1, True), (2, True), (1, False)])
def test_a_lost_process_ends_all_and_is_named(tmp_path: Path, large: Path, diabetes: Path, lost: int, apart: bool):
    data = [large, *APART["relaxation"]] if apart else [diabetes, *TOGETHER["starts"]]
    arguments = [*("100000" if argument in ("3", "5") else argument for argument in data), "--model", "m.json"]
    arguments += ["--checkpoint", "c.ckpt", "--checkpoint-interval", "0"]
    with start(tmp_path, 3, "train", *arguments) as process:
        for _ in range(600):
            time.sleep(0.1)
            if (tmp_path / "c.ckpt").exists():  # all have begun
                break
        ranks = {told_rank(rank): rank for rank in ranks_in(tmp_path)}
        assert sorted(ranks) == [0, 1, 2]
        os.kill(ranks[lost], signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    told = [line for line in err.splitlines() if line.startswith("relufit: ")]
    assert len(told) == 1 and f"rank {lost} is lost: process {ranks[lost]} on " in told[0], err
    assert "signal 9" in told[0]
    assert not (tmp_path / "m.json").exists() and not ranks_in(tmp_path)


def test_signals_reach_all(tmp_path: Path, large: Path):
    arguments = ["100000" if argument == "3" else argument for argument in APART["relaxation"]]
    kept = ["--checkpoint", "c.ckpt", "--checkpoint-interval", "0", "--model", "m.json"]
    with start(tmp_path, 3, "train", large, *arguments, *kept) as process:
        for _ in range(600):
            time.sleep(0.1)
            if (tmp_path / "c.ckpt").exists():
                break
        for rank in ranks_in(tmp_path):
            os.kill(rank, signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "relufit: " not in err and (tmp_path / "m.json").exists()


def test_numbers_travel_in_pieces(tmp_path: Path):
    command = ["mpirun", "-n", "3", str(PROGRAM.parent / "gather_in_pieces")]
    assert subprocess.run(command, timeout=60, cwd=tmp_path).returncode == 0
