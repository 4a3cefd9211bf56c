"""Pipes, devices, links and odd names as files that are read or written, and odd names of columns."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from cli_tools import TIMEOUT, Program, load_model

TRAIN = ("--hidden", 1, "--iterations", 20)


@pytest.fixture
def model(relufit: Program) -> Path:
    """m.json, trained on d.csv; its predictions of d.csv are in p.csv."""
    (relufit.folder / "d.csv").write_text("a,y\n1,2\n2,4\n3,7\n4,5\n")
    relufit("train", "d.csv", "--targets", "y", *TRAIN, "--model", "m.json")
    relufit("predict", "m.json", "d.csv", "--out", "p.csv")
    return relufit.folder / "m.json"


def shell(relufit: Program, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash, in which `relufit` is the program."""
    completed = subprocess.run(
        ["bash", "-c", f"set -o pipefail; relufit() {{ {relufit.path} \"$@\"; }}; {command}"],
        cwd=relufit.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert completed.stderr == "", command
    return completed


def without_times(path: Path) -> dict:
    model = load_model(path)
    del model["training"]["seconds"]
    return model


@pytest.mark.parametrize(
    "command",
    [
        "cat d.csv | relufit predict m.json /dev/stdin --out out.csv",
        "cat d.csv | relufit predict m.json /dev/stdin --out /dev/stdout | cat > out.csv",
        "relufit predict m.json <(cat d.csv) --out out.csv",
        "relufit predict <(cat m.json) d.csv > out.csv",
        "relufit predict m.json d.csv --out /dev/stdout | cat > out.csv",
        "relufit predict m.json d.csv --out /dev/fd/1 > out.csv",
        "relufit predict m.json d.csv --out /proc/self/fd/7 7> out.csv",
        "relufit predict m.json d.csv --out >(gzip > out.gz); wait $!; gunzip -c out.gz > out.csv",
        "mkfifo pipe; cat pipe > out.csv & relufit predict m.json d.csv --out pipe; wait",
    ],
)
def test_predictions_through_pipes_and_open_files(relufit: Program, model: Path, command: str) -> None:
    completed = shell(relufit, command)
    assert completed.returncode == 0 and completed.stdout == ""
    if (relufit.folder / "out.gz").exists():
        assert gzip.decompress((relufit.folder / "out.gz").read_bytes()) == (relufit.folder / "p.csv").read_bytes()
    else:
        assert (relufit.folder / "out.csv").read_text() == (relufit.folder / "p.csv").read_text()


@pytest.mark.parametrize(
    "command",
    [
        "cat d.csv | relufit train /dev/stdin --targets y {} --model new.json",
        "relufit train <(cat d.csv) --test <(cat d.csv) --targets y {} --model new.json",
        "relufit train d.csv --targets y {} --model >(cat > new.json) > /dev/null; wait $!",
    ],
)
def test_training_through_pipes(relufit: Program, model: Path, command: str) -> None:
    assert shell(relufit, command.format(" ".join(map(str, TRAIN)))).returncode == 0
    assert without_times(relufit.folder / "new.json") == without_times(model)


@pytest.mark.parametrize("out", ["/dev/stdout", "/dev/fd/1", "link"])
@pytest.mark.parametrize("redirection", [">", ">>"])
def test_what_stands_behind_standard_output_is_not_replaced(
    relufit: Program, model: Path, out: str, redirection: str
) -> None:
    (relufit.folder / "link").symlink_to("/dev/stdout")
    shell(relufit, f"(echo before; relufit predict m.json d.csv --out {out}; echo after) {redirection} log.txt")
    predictions = (relufit.folder / "p.csv").read_text()
    assert (relufit.folder / "log.txt").read_text() == f"before\n{predictions}after\n"


def test_a_full_device_is_a_failure_and_no_crash(relufit: Program, model: Path) -> None:
    for command in ["predict m.json d.csv", "predict m.json d.csv --out /dev/stdout", "evaluate m.json d.csv --json"]:
        with open("/dev/full", "w") as full:
            arguments = [str(relufit.path), *command.split()]
            completed = subprocess.run(
                arguments, cwd=relufit.folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert completed.returncode == 1
        assert completed.stderr.count("\n") == 1 and "cannot be written: No space left" in completed.stderr
    # Nobody is left to be told, which is no reason to abort.
    with open("/dev/full", "w") as full:
        command = [str(relufit.path), "predict", "m.json", "none.csv"]
        assert subprocess.run(command, cwd=relufit.folder, stderr=full, check=False).returncode == 2


def test_the_file_that_a_dangling_link_names_is_made(relufit: Program, model: Path) -> None:
    (relufit.folder / "folder").mkdir()
    for name, command in [
        ("m", "train d.csv --targets y --hidden 1 --iterations 20 --model m.link --trace t.link --plot s.link"),
        ("p", "predict m.json d.csv --out p.link"),
        ("c", "export m.json --c c.link --name c"),
    ]:
        for letter in {"m": "mts", "p": "p", "c": "c"}[name]:
            (relufit.folder / f"{letter}.link").symlink_to(f"folder/{letter}.out")
        relufit.run(*command.split())
        for letter in {"m": "mt", "p": "p", "c": "c"}[name]:
            assert (relufit.folder / f"{letter}.link").is_symlink()
            assert (relufit.folder / "folder" / f"{letter}.out").is_file()


def test_the_longest_names_are_taken(relufit: Program, model: Path) -> None:
    for length in (245, 255):
        name = "x" * length
        relufit("predict", "m.json", "d.csv", "--out", name)
        relufit("train", "d.csv", "--targets", "y", *TRAIN, "--model", f"{name[:-1]}m", "--trace", f"{name[:-1]}t")
        assert (relufit.folder / name).read_text() == (relufit.folder / "p.csv").read_text()
        assert without_times(relufit.folder / f"{name[:-1]}m") == without_times(model)


@pytest.mark.parametrize("name", ["m.json", "p.csv"])
def test_an_input_that_is_the_output_by_another_name_is_refused(relufit: Program, model: Path, name: str) -> None:
    (relufit.folder / "folder").mkdir()
    (relufit.folder / "folder/link").symlink_to(f"../{name}")
    os.link(relufit.folder / name, relufit.folder / "hard")
    before = (relufit.folder / name).read_bytes()
    arguments = ("m.json", "d.csv") if name == "m.json" else ("m.json", "p.csv")
    for out in ["folder/link", "hard", f"folder/../{name}"]:
        completed = relufit.run("predict", *arguments, "--out", out)
        assert completed.returncode == 2 and "named twice" in completed.stderr
    assert (relufit.folder / name).read_bytes() == before


def test_numbers_as_names_of_targets(relufit: Program) -> None:
    (relufit.folder / "y.csv").write_text("a,2020,2021\n1,2,3\n2,4,1\n3,7,2\n4,5,0\n")
    for targets in ["2020", "2021,2020"]:
        relufit("train", "y.csv", "--targets", targets, "--inputs", "a", *TRAIN, "--model", "m.json")
        assert set(relufit.json("evaluate", "m.json", "y.csv")["targets"]) == set(targets.split(","))
        relufit("predict", "m.json", "y.csv", "--out", "p.csv")
        header = (relufit.folder / "p.csv").read_text().splitlines()[0]
        assert header == ",".join(f'"{name}"' for name in targets.split(","))
    # What is written can be read.
    relufit("train", "p.csv", "--targets", "2020", *TRAIN, "--model", "q.json")


def test_names_with_commas_and_quotes_in_lists(relufit: Program) -> None:
    columns = ["a", "price, EUR", 'say "hi"', '"quoted"', " blank"]
    with (relufit.folder / "k.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows([[i, 2 * i % 5, i * i % 7, 3 * i % 4, i % 3] for i in range(8)])
    quoted = ['"price, EUR"', 'say "hi"', '"""quoted"""', " blank"]
    relufit("train", "k.csv", "--targets", ",".join(quoted), *TRAIN, "--model", "m.json")
    assert load_model(relufit.folder / "m.json")["target_names"] == columns[1:]
    relufit("train", "k.csv", "--targets", "a", "--inputs", ",".join(quoted[:2]), "--inputs", quoted[2], *TRAIN,
            "--model", "m.json")  # fmt: skip
    assert load_model(relufit.folder / "m.json")["input_names"] == columns[1:4]
    relufit("predict", "m.json", "k.csv")


def test_columns_that_are_not_used_may_hold_anything(relufit: Program, model: Path) -> None:
    (relufit.folder / "t.csv").write_text("id,a,note,y\nx1,1,,2\nx2,2,?,4\nx3,3,nan,7\nx4,4,1e999,5\n")
    relufit("train", "t.csv", "--targets", "y", "--inputs", "a", *TRAIN, "--model", "t.json")
    assert without_times(relufit.folder / "t.json") == without_times(model)
    assert relufit("predict", "m.json", "t.csv") == (relufit.folder / "p.csv").read_text()
    assert relufit.json("evaluate", "m.json", "t.csv") == relufit.json("evaluate", "m.json", "d.csv")
    completed = relufit.run("train", "t.csv", "--targets", "note", "--inputs", "a", *TRAIN, "--model", "t.json")
    assert completed.returncode == 2 and "t.csv:2: column 'note'" in completed.stderr
    assert "--inputs" not in completed.stderr


def test_wide_files(relufit: Program, model: Path) -> None:
    names = [f"c{i}" for i in range(40000)]
    wide = load_model(model)
    wide["input_names"] = names[::-1]
    wide["input_scaling"] = {"offset": [0] * len(names), "scale": [1] * len(names)}
    wide["layers"] = [{"weights": [[1] * len(names)], "bias": [0]}]
    wide["target_scaling"] = {"offset": [0], "scale": [1]}
    model.write_text(json.dumps(wide))
    rows = [[(i * j) % 11 for i in range(len(names))] for j in range(1, 4)]
    with (relufit.folder / "w.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*names, "y"], *([*row, sum(row)] for row in rows)])
    assert relufit("predict", "m.json", "w.csv").split() == ["y", *(str(sum(row)) for row in rows)]
    assert relufit.json("evaluate", "m.json", "w.csv")["all"]["largest_error"] == 0
