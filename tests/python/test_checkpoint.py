"""Checkpoints from Python: a process that is killed, and another that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import relufit

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(60, 3))
Y = np.sin(X[:, 0]) + np.abs(X[:, 1])
OPTIONS = {"hidden": [4], "ridge": 0.003, "polish": False, "iterations": 40}


def same(a: relufit.TrainResult, b: relufit.TrainResult) -> bool:
    """Bit for bit, but for seconds."""
    traces = [{name: column for name, column in result.trace.items() if name != "seconds"} for result in (a, b)]
    return (
        a.status == b.status
        and all(np.array_equal(v, w) for p, q in zip(a.model.layers, b.model.layers) for v, w in zip(p, q))
        and all(np.array_equal(traces[0][name], traces[1][name]) for name in traces[0])
    )


TRAININGS = [
    {},
    {"polish": True, "ridge": "auto"},
    {"starts": 3, "threads": 2},
    {"loss": "exact", "ridge": "auto", "polish": None},
]


@pytest.mark.parametrize("options", TRAININGS)
def test_stopped_trainings_go_on(tmp_path: Path, options: dict) -> None:
    options = {**OPTIONS, **options}
    plain = relufit.train(X, Y, **options)
    kept = {"checkpoint": tmp_path / "c.ckpt", "checkpoint_interval": 0, "resume": True}
    for most in (1, 2, 3, 5):
        seen = []

        def stop(progress: relufit.TrainProgress, seen: list = seen, most: int = most) -> bool:
            seen.append(progress.iteration)
            return len(seen) < most

        relufit.train(X, Y, **options, **kept, callback=stop)
    result = relufit.train(X, Y, **options, **kept)
    assert result.seconds_before > 0
    assert same(result, plain)
    again = relufit.train(X, Y, **options, **kept)
    assert same(again, plain)


def test_a_killed_process_is_gone_on_with(tmp_path: Path) -> None:
    options = {**OPTIONS, "iterations": 3000, "tolerance": 1e-300, "stall_window": 0}
    file = tmp_path / "c.ckpt"
    np.savez(tmp_path / "d.npz", X=X, Y=Y)
    code = f"""
import numpy as np, relufit
data = np.load({str(tmp_path / "d.npz")!r})
relufit.train(data["X"], data["Y"], **{options!r}, checkpoint={str(file)!r}, checkpoint_interval=0, resume=True)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while not file.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
    result = relufit.train(X, Y, **options, checkpoint=file, resume=True)
    assert result.seconds_before > 0
    assert same(result, relufit.train(X, Y, **options))


def test_paths_are_paths(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    for file in (tmp_path / "a.ckpt", str(tmp_path / "b.ckpt"), folder + b"/c.ckpt", folder + b"/\xff"):
        relufit.train(X, Y, **OPTIONS, checkpoint=file)
        assert os.path.exists(file)


def test_refusals(tmp_path: Path) -> None:
    file = tmp_path / "c.ckpt"
    relufit.train(X, Y, **OPTIONS, checkpoint=file)
    content = file.read_bytes()

    def refused(message: str, x: np.ndarray = X, **options: object) -> None:
        with pytest.raises(ValueError, match=message):
            relufit.train(x, Y, **{**OPTIONS, "checkpoint": file, **options})
        assert file.read_bytes() == content

    refused("c.ckpt: .*expected none")
    refused("c.ckpt: .*ridge 0.003, expected 0.1", ridge=0.1, resume=True)
    refused("c.ckpt: .*other inputs", x=X + 1e-9, resume=True)
    refused("checkpoint: ''", checkpoint="")
    refused("checkpoint_interval: -1", checkpoint_interval=-1)
    refused("checkpoint_interval: 'x', expected a number", checkpoint_interval="x")
    refused("resume: 1, expected True or False", resume=1)
    refused("resume: ", checkpoint=None, resume=True)
    with pytest.raises(TypeError):
        relufit.train(X, Y, **OPTIONS, checkpoint=3)
