"""Whatever call fails, for want of disk or memory: one line that says so, and every file old or new as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_tools import Program, contents

TRAIN = "train d.csv --targets y --hidden 2 --iterations 5 --model m.json"
COMMANDS = {
    "training": f"{TRAIN} --trace t.csv",
    "prediction": "predict old.json d.csv --out p.csv",
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
}


@pytest.fixture
def folder(relufit: Program) -> Path:
    """Data, a model of it, and an old file in every place that the commands write to."""
    (relufit.folder / "d.csv").write_text("a,b,y\n1,2,2\n2,1,4\n3,5,7\n4,0,5\n6,1,3\n")
    (relufit.folder / "c.csv").write_text("a,b,y\n1,2,x\n2,1,x\n3,5,z\n4,0,z\n6,1,x\n")
    (relufit.folder / "up.json").write_text('{"monotone": [{"input": "a", "target": "y", "direction": "increasing"}]}')
    relufit(*TRAIN.replace("m.json", "old.json").split())
    for name in ("m.json", "t.csv", "p.csv", "c.h", "p.dat-s"):
        (relufit.folder / name).write_text("old")
    return relufit.folder


class Harness:
    """Runs one command again and again, with another call failing each time."""

    def __init__(self, relufit: Program, faults: Path, command: str) -> None:
        self.relufit, self.faults, self.command = relufit, faults, command
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
                "LD_PRELOAD": str(self.faults),
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
