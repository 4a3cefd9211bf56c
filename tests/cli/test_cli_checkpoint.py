"""Trainings that are killed, again and again, and go on from their checkpoints: the same model, bit for bit."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from cli_tools import TIMEOUT, Program, contents, load_model, without_times, write_csv

KILLS = 10
SMALL = ("train", "d.csv", "--targets", "y", "--hidden", 2, "--ridge", 0.01, "--iterations", 20, "--model", "m.json")
# What takes a few seconds with a checkpoint at every opportunity.
TRAININGS = {
    "relaxation": ("--ridge", 0.003, "--no-polish", "--iterations", 600),
    "converged": ("--ridge", 0.003, "--no-polish", "--iterations", 8, "--inner-iterations", 0),
    "ridge": (),
    "starts": ("--ridge", 0.003, "--starts", 8, "--threads", 2),
    "search": ("--loss", "exact", "--iterations", 60),
}


def killed_after(relufit: Program, arguments: list[str], seconds: float) -> bool:
    """Whether the program had not ended by itself."""
    line = [str(relufit.path), *arguments]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, cwd=relufit.folder, **pipes) as process:
        try:
            _, message = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=TIMEOUT)
            return True
        assert process.returncode == 0, message
        return False


@pytest.mark.parametrize("kind", TRAININGS)
def test_killed_trainings_end_with_the_same_model(relufit: Program, diabetes: Path, kind: str) -> None:
    common = ["train", diabetes, "--targets", "progression", "--hidden", 5, *TRAININGS[kind]]
    relufit(*common, "--model", "plain.json", "--trace", "plain.csv")
    files = ["--checkpoint", "c.ckpt", "--checkpoint-interval", 0, "--resume"]
    line = [str(part) for part in [*common, "--model", "m.json", "--trace", "m.csv", *files]]
    begin = time.monotonic()
    relufit(*line)
    whole = time.monotonic() - begin
    expected = without_times(load_model(relufit.folder / "plain.json"))
    assert without_times(load_model(relufit.folder / "m.json")) == expected
    for name in ("c.ckpt", "m.json", "m.csv"):
        (relufit.folder / name).unlink()
    moments = random.Random(kind)
    for _ in range(KILLS):
        killed = killed_after(relufit, line, moments.uniform(0, 0.4 * whole))
        written = set(contents(relufit.folder)) - {"c.ckpt", "plain.json", "plain.csv"} - hidden_files(relufit)
        assert written <= {"m.json", "m.csv"}
        if "m.json" in written:  # whole, even where the process was killed before it could end
            assert without_times(load_model(relufit.folder / "m.json")) == expected
        if not killed or written:
            break
    relufit(*line)
    assert without_times(load_model(relufit.folder / "m.json")) == expected
    assert set(contents(relufit.folder)) == {"c.ckpt", "plain.json", "plain.csv", "m.json", "m.csv"}
    traces = [(relufit.folder / name).read_text().splitlines() for name in ("plain.csv", "m.csv")]
    records = [[line.rpartition(",")[0] for line in trace] for trace in traces]
    assert traces[0][0].endswith(",seconds") and records[0] == records[1]


def hidden_files(relufit: Program) -> set[str]:
    """What a killed process may leave, at most one; the next one takes it away."""
    found = {path.name for path in relufit.folder.glob(".relufit-*")}
    assert len(found) <= 1
    return found


@pytest.fixture
def data(relufit: Program) -> Path:
    values = np.random.default_rng(1).normal(size=(12, 3))
    write_csv(relufit.folder / "d.csv", ["a", "b", "y"], values)
    return relufit.folder / "d.csv"


def test_a_finished_training_gives_its_result_again(relufit: Program, data: Path) -> None:
    resumable = (*SMALL, "--checkpoint", "c.ckpt", "--resume")
    first = relufit.json(*resumable)
    model = load_model(relufit.folder / "m.json")
    again = relufit.json(*resumable)
    assert first["seconds_before"] == 0 < again["seconds_before"] <= again["seconds"]
    assert {**first, "seconds": 0, "seconds_before": 0} == {**again, "seconds": 0, "seconds_before": 0}
    assert without_times(load_model(relufit.folder / "m.json")) == without_times(model)
    assert "; resumed after " in relufit(*resumable)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_new_checkpoint(relufit: Program, diabetes: Path, number: int) -> None:
    """Nothing but the end of training makes it be written here."""
    common = ["train", diabetes, "--targets", "progression", "--hidden", 20, "--ridge", 0.003, "--no-polish"]
    common = [*map(str, common), "--tolerance", "1e-300", "--iterations", "4000", "--threads", "2"]
    relufit(*common, "--model", "plain.json")
    line = [*common, "--model", "m.json", "--checkpoint", "c.ckpt", "--checkpoint-interval", "1000000", "--resume"]
    settings = {"stdout": subprocess.DEVNULL, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen([str(relufit.path), *line], cwd=relufit.folder, **settings) as process:
        time.sleep(0.3)
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT)
    if process.returncode == -number:  # it had not begun
        return
    assert process.returncode in (0, 130)
    assert (relufit.folder / "c.ckpt").is_file()
    relufit(*line)
    models = [load_model(relufit.folder / name) for name in ("plain.json", "m.json")]
    assert without_times(models[0]) == without_times(models[1])


def refused(relufit: Program, message: str, *arguments: object) -> None:
    before = contents(relufit.folder)
    completed = relufit.run(*arguments)
    assert completed.returncode == 2, completed.stderr
    assert re.fullmatch(f"relufit: .*{message}.*\n", completed.stderr), completed.stderr
    assert contents(relufit.folder) == before


def test_refusals(relufit: Program, data: Path) -> None:
    kept = (*SMALL, "--checkpoint", "c.ckpt")
    refused(relufit, "--resume", *SMALL, "--resume")
    refused(relufit, "--checkpoint-interval", *kept, "--checkpoint-interval", -1)
    refused(relufit, "--checkpoint", *SMALL, "--checkpoint", "")
    refused(relufit, "named twice", *SMALL, "--checkpoint", "m.json")
    refused(relufit, "named twice", *SMALL, "--checkpoint", "d.csv")
    refused(relufit, "none/c.ckpt", *SMALL, "--checkpoint", "none/c.ckpt")
    refused(relufit, "regular file", *SMALL, "--checkpoint", "/dev/stdout")
    relufit(*kept)
    refused(relufit, "c.ckpt: .*expected none", *kept)
    data.write_text("\n".join([*data.read_text().splitlines()[:-1], "1,2,3"]) + "\n")
    refused(relufit, "c.ckpt: .*other inputs", *kept, "--resume")
    (relufit.folder / "c.ckpt").write_text("something else")
    refused(relufit, "c.ckpt: no checkpoint", *kept, "--resume")


# Another value of every option of `relufit train` that its result depends on, where the message names it so.
OTHER_VALUES = {
    "--inputs": ("a",),
    "--categorical": ("a",),
    "--inputs-file": None,  # in place of the CSV file: other data
    "--targets-file": None,
    "--weights-file": None,
    "--hidden": (3,),
    "--output-activation": ("relu",),
    "--activation": ("absolute",),
    "--activation-parameter": (0.3, "--activation", "leaky-relu"),
    "--skip-connections": (),
    "--task": None,  # other targets
    "--loss": ("absolute",),
    "--huber-delta": (1, "--loss", "huber"),
    "--quantile": (0.3, "--loss", "quantile"),
    "--sample-weights": ("w",),
    "--ridge": (0.02,),
    "--folds": (3,),
    "--init": ("zero",),
    "--no-bias": (),
    "--random-scale": (2,),
    "--seed": (1,),
    "--lambda-pair": (3,),
    "--lambda-product": (3,),
    "--pair-scale": (3,),
    "--left-scale": (3,),
    "--right-scale": (3,),
    "--penalty-pair": (3,),
    "--penalty-product": (3,),
    "--penalty-output": (3,),
    "--over-relaxation": (1.5,),
    "--starts": (2,),
    "--method": ("relaxation",),
    "--fixed-output": None,  # with the exact loss alone
    "--iterations": (21,),
    "--inner-iterations": (4,),
    "--strategy": ("continuation",),
    "--constraints": ("up.json",),
    "--lasso": (0.1,),
    "--group-lasso": (0.1,),
    "--nuclear": (0.1,),
    "--weight-grid": (0.5,),
    "--polish": (),
    "--no-polish": (),
    "--tolerance": (1e-7,),
    "--test-fraction": (0.3,),
    "--validation-fraction": (0.3,),
    "--validation": ("v.csv",),
}
WITHOUT_EFFECT = {
    "--help", "--targets", "--model", "--test", "--trace", "--plot", "--json", "--threads", "--time-limit",
    "--checkpoint", "--checkpoint-interval", "--resume", "--report",
}  # fmt: skip


def test_every_option_is_known_here(relufit: Program) -> None:
    listed = set(re.findall(r"^  (?:-\w,\s*)?(--[a-z-]+)", relufit("train", "--help"), flags=re.MULTILINE))
    listed |= set(re.findall(r"(--no-[a-z-]+)", relufit("train", "--help")))
    assert listed == set(OTHER_VALUES) | WITHOUT_EFFECT


@pytest.mark.parametrize("option", [option for option, value in OTHER_VALUES.items() if value is not None])
def test_another_option_is_another_training(relufit: Program, option: str) -> None:
    values = np.abs(np.random.default_rng(1).normal(size=(20, 4)))
    write_csv(relufit.folder / "d.csv", ["a", "b", "y", "w"], values)
    write_csv(relufit.folder / "v.csv", ["a", "b", "y", "w"], values[:5])
    (relufit.folder / "up.json").write_text('{"monotone": [{"input": "a", "target": "y", "direction": "increasing"}]}')
    kept = (*SMALL, "--checkpoint", "c.ckpt")
    relufit(*kept)
    value = OTHER_VALUES[option] or ()
    # An option given twice would be refused as such.
    line = list(kept)
    for name in (option, *value[1::2]):
        if name in line:
            del line[line.index(name) : line.index(name) + 2]
    refused(relufit, "c.ckpt: checkpoint of a training with ", *line, option, *value, "--resume")


@pytest.mark.parametrize("function", ["write", "fsync", "rename", "memory"])
def test_whatever_fails_leaves_a_checkpoint_to_go_on_from(
    relufit: Program, data: Path, faults: Path, function: str
) -> None:
    """As the test of that name in test_cli_faults.py, with other things to promise."""
    log = relufit.folder.parent / f"{relufit.folder.name}.calls"
    kept = (*SMALL, "--checkpoint", "c.ckpt", "--checkpoint-interval", 0, "--resume")

    def run(at: int) -> subprocess.CompletedProcess[str]:
        preload = {"LD_PRELOAD": str(faults), "RELUFIT_FAULT_LOG": str(log)}
        return relufit.run(*kept, environment={**preload, "RELUFIT_FAULT_IN": function, "RELUFIT_FAULT_AT": str(at)})

    assert run(0).returncode == 0
    calls = int(log.read_text())
    expected = without_times(load_model(relufit.folder / "m.json"))
    for at in sorted({1, 2, *(calls * i // 7 for i in range(1, 7)), calls - 1, calls}):
        for name in ("c.ckpt", "m.json"):
            (relufit.folder / name).unlink(missing_ok=True)
        completed = run(at)
        place = f"{function} {at}: {completed.returncode}: {completed.stderr}"
        if completed.returncode != 0:
            assert completed.returncode == 1, place
            assert completed.stderr.startswith("relufit: ") and completed.stderr.count("\n") == 1, place
            assert "memory" in completed.stderr or "cannot be written: " in completed.stderr, place
            assert set(contents(relufit.folder)) <= {"d.csv", "c.ckpt", "m.json"}, place
        relufit(*kept)
        assert without_times(load_model(relufit.folder / "m.json")) == expected, place
