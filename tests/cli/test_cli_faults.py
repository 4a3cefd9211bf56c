"""Whatever call fails, for want of disk or memory: one line that says so, and every file old or new as a whole."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, contents

TRAIN = "train d.csv --targets y --hidden 2 --iterations 5 --model m.json"
ARRAYS = "--inputs-file x.npy --targets-file y.npy"
COMMANDS = {
    "training": f"{TRAIN} --trace t.csv",
    "prediction": "predict old.json d.csv --out p.csv",
    "arrays": "predict old.json --inputs-file x.npy --out p.csv",
    "evaluation": "evaluate old.json d.csv --json",
    "export": "export old.json --c c.h --name c",
    "program": "export-sdp d.csv --targets y --hidden 1 --out p.dat-s",
}
MORE_TRAINING = {
    "threads": f"{TRAIN} --starts 3 --threads 3",
    "one start on threads": f"{TRAIN} --threads 3",
    "search": f"{TRAIN} --loss exact",
    "polish": f"{TRAIN} --loss absolute --json",
    "constraints": f"{TRAIN} --constraints up.json --threads 2",
    "classes": "train c.csv --task classify --targets y --hidden 2 --iterations 5 --model m.json",
    "arrays, weighted": f"{TRAIN.replace('d.csv --targets y', ARRAYS)} --weights-file w.npy",
}


@pytest.fixture
def folder(relufit: Program) -> Path:
    """Data, a model of it, and an old file in every place that the commands write to."""
    (relufit.folder / "d.csv").write_text("a,b,y\n1,2,2\n2,1,4\n3,5,7\n4,0,5\n6,1,3\n")
    (relufit.folder / "c.csv").write_text("a,b,y\n1,2,x\n2,1,x\n3,5,z\n4,0,z\n6,1,x\n")
    X = np.array([[1, 2], [2, 1], [3, 5], [4, 0], [6, 1.0]])
    for name, values in {"x": np.asfortranarray(X), "y": X @ [1, 2], "w": np.arange(5, dtype=np.int32)}.items():
        np.save(relufit.folder / f"{name}.npy", values)
    (relufit.folder / "up.json").write_text('{"monotone": [{"input": "a", "target": "y", "direction": "increasing"}]}')
    relufit(*TRAIN.replace("m.json", "old.json").split())
    for name in ("m.json", "t.csv", "p.csv", "c.h", "p.dat-s", "r.html"):
        (relufit.folder / name).write_text("old")
    return relufit.folder


class Harness:
    """Runs one command again and again, with another call failing each time."""

    def __init__(self, relufit: Program, faults: Path, command: str, python: str | None = None) -> None:
        """`python`: an interpreter, in which calls fail instead."""
        self.relufit, self.command = relufit, command
        self.environment = {"LD_PRELOAD": str(faults)}
        if python is not None:
            wrapper = relufit.folder.parent / f"{relufit.folder.name}.bin" / "python3"
            wrapper.parent.mkdir()
            wrapper.write_text(f'#!/bin/sh\nLD_PRELOAD="{faults}" exec "{python}" -B "$@"\n')
            wrapper.chmod(0o755)
            self.environment = {"PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"}
        self.log = relufit.folder.parent / f"{relufit.folder.name}.calls"
        self.before = contents(relufit.folder)
        self.output = self.run("memory", "0")
        assert self.output.returncode == 0, self.output.stderr
        self.after = contents(relufit.folder)
        assert set(self.after) == set(self.before)

    def run(self, function: str, at: str):
        for name, content in self.before.items():
            (self.relufit.folder / name).write_bytes(content)
        return self.relufit.run(
            *self.command.split(),
            environment={
                **self.environment,
                "RELUFIT_FAULT_IN": function,
                "RELUFIT_FAULT_AT": at,
                "RELUFIT_FAULT_LOG": str(self.log),
            },
        )

    def calls(self, function: str) -> int:
        self.run(function, "0")
        return int(self.log.read_text())

    def fails(self, function: str, at: str, *messages: str) -> bool:
        """Whether the command failed, which it must have done properly."""
        completed = self.run(function, at)
        place = f"{self.command}: {function} {at}: {completed.returncode}: {completed.stderr}"
        now = contents(self.relufit.folder)
        assert set(now) == set(self.before), place
        for name, content in now.items():
            assert content == self.before[name] or self.is_new(name, content), f"{place}: {name}"
        if completed.returncode == 0:
            assert completed.stderr == "", place
            return False
        assert completed.returncode == 1, place
        assert completed.stderr.startswith("relufit: ") and completed.stderr.count("\n") == 1, place
        assert any(message in completed.stderr for message in messages), place
        return True

    def is_new(self, name: str, content: bytes) -> bool:
        """Whether this is what the command writes when all is well, but for the seconds it takes."""
        good = self.after[name]
        if name.endswith(".json"):
            return json.loads(content)["layers"] == json.loads(good)["layers"]
        if name == "t.csv":
            return [row.split(b",")[:-1] for row in content.splitlines()] == [
                row.split(b",")[:-1] for row in good.splitlines()
            ]
        if name == "r.html":
            return content.startswith(b"<!DOCTYPE html>") and content.rstrip().endswith(b"</html>")
        return content == good


@pytest.mark.parametrize("function", ["write", "fsync", "rename"])
@pytest.mark.parametrize("kind", [kind for kind in COMMANDS if kind != "evaluation"])
def test_every_call_that_writes_may_fail(
    relufit: Program, faults: Path, folder: Path, kind: str, function: str
) -> None:
    harness = Harness(relufit, faults, COMMANDS[kind])
    calls = harness.calls(function)
    assert calls == (2 if kind == "training" else 1)
    for call in range(1, calls + 1):
        assert harness.fails(function, str(call), "cannot be written: ")
    assert not harness.fails(function, str(calls + 1))


@pytest.mark.parametrize("function", ["write", "fsync", "rename"])
def test_every_call_that_makes_a_report_may_fail(
    relufit: Program, faults: Path, folder: Path, package: None, function: str
) -> None:
    """The program's, which also hands over two files, and the package's, besides which its interpreter writes."""
    for python, expected in ((None, 3 if function == "write" else 1), (sys.executable, 1)):
        harness = Harness(relufit, faults, f"{TRAIN} --report r.html", python)
        calls = harness.calls(function)
        assert calls == expected or (python and function == "write")
        failures = [harness.fails(function, str(call), "cannot be written: ") for call in range(1, calls + 1)]
        assert sum(failures) == expected


@pytest.mark.parametrize("later", ["", "+"])
def test_every_allocation_for_a_report_may_fail(
    relufit: Program, faults: Path, folder: Path, package: None, later: str
) -> None:
    calls = Harness(relufit, faults, TRAIN).calls("memory")
    harness = Harness(relufit, faults, f"{TRAIN} --report r.html")
    of_report = harness.calls("memory") - calls
    assert of_report > 50
    failures = [harness.fails("memory", f"{calls + of_report * i // 8}{later}", "memory") for i in range(1, 9)]
    assert sum(failures) > 4


@pytest.mark.parametrize("later", ["", "+"])
@pytest.mark.parametrize("kind", [*COMMANDS, *MORE_TRAINING])
def test_every_allocation_may_fail(relufit: Program, faults: Path, folder: Path, kind: str, later: str) -> None:
    harness = Harness(relufit, faults, {**COMMANDS, **MORE_TRAINING}[kind])
    calls = harness.calls("memory")
    assert calls > 100
    sample = {*range(1, 10), calls}
    call = 10.0
    while call < calls:
        sample.add(int(call))
        call *= 1.25 if kind in COMMANDS else 1.5
    failures = sum(harness.fails("memory", f"{call}{later}", "memory") for call in sorted(sample))
    assert failures > len(sample) // 2
