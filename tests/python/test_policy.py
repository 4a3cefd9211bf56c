"""One policy: the program, the package and the documents choose and say what the library's plan says."""

import inspect
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import relufit
from relufit import _core

ROOT = Path(__file__).parents[2]
LABELS = np.array(["a", "b", "c"])


def table(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Inputs and targets, and a file of them: numbers, a fit of two ReLUs, two and three classes."""
    random = np.random.default_rng(5)
    inputs = random.normal(size=(50, 2))
    targets = {
        "number": np.sin(2 * inputs[:, 0]) + inputs[:, 1],
        "exact": np.maximum(inputs[:, 0], 0) - np.maximum(inputs[:, 1] - 0.5 * inputs[:, 0], 0),
        "two": LABELS[(inputs[:, 0] > 0).astype(int)],
        "three": LABELS[np.digitize(inputs[:, 1], [-0.5, 0.5])],
    }
    lines = [",".join(["x0", "x1", *targets])]
    for i, row in enumerate(inputs):
        lines.append(",".join([repr(float(x)) for x in row] + [str(column[i]) for column in targets.values()]))
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    return inputs, targets


CONSTRAINTS = {"monotone": [{"input": "x1", "target": "number", "direction": "increasing"}]}
# Name, target, options of the package; those of the program follow from them.
CASES = [
    ("squared", "number", {}),
    ("linear model", "number", {"hidden": ()}),
    ("absolute", "number", {"loss": "absolute"}),
    ("huber", "number", {"loss": "huber", "loss_parameter": 0.5}),
    ("quantile", "number", {"loss": "quantile", "loss_parameter": 0.8}),
    ("cross-entropy", "three", {"loss": "cross-entropy"}),
    ("logistic", "two", {"loss": "logistic"}),
    ("hinge", "three", {"loss": "hinge"}),
    ("exact", "exact", {"loss": "exact"}),
    ("exact, deep", "exact", {"loss": "exact", "hidden": (4, 4), "method": "relaxation"}),
    ("an option of the relaxation", "exact", {"loss": "exact", "polish": True}),
    ("saturating", "number", {"activation": "hard-tanh"}),
    ("strategy", "number", {"strategy": "extrapolated", "iterations": 8}),
    ("to the end", "number", {"inner_iterations": 0, "iterations": 5}),
    ("starts", "number", {"starts": 3, "threads": 2, "seed": 4, "iterations": 20}),
    ("constraints", "number", {"constraints": CONSTRAINTS, "iterations": 30}),
    ("race", "number", {"constraints": CONSTRAINTS, "polish": True}),
    ("regularizers", "number", {"lasso": 0.01, "group_lasso": 0.01, "nuclear": 0.01, "iterations": 30}),
    ("grid", "number", {"weight_grid": 0.25, "iterations": 30}),
    ("zero", "number", {"init": "zero", "iterations": 30}),
]


def of_program(folder: Path, program, target: str, options: dict) -> list[str]:
    """The arguments of the program for options of the package."""
    hidden = ",".join(map(str, options.get("hidden", (4,)))) or "none"
    arguments = ["train", "data.csv", "--targets", target, "--inputs", "x0,x1", "--hidden", hidden, "--model", "m.json"]
    if target in ("two", "three"):
        arguments += ["--task", "classify"]
    for name, value in options.items():
        if name == "constraints":
            (folder / "constraints.json").write_text(json.dumps(value))
            value = "constraints.json"
        if name == "loss_parameter":
            name = {"huber": "huber_delta", "quantile": "quantile"}[options["loss"]]
        if name != "hidden":
            arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return [str(program), *arguments]


@pytest.mark.parametrize("target, options", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_program_and_package_train_alike(tmp_path: Path, target: str, options: dict) -> None:
    inputs, targets = table(tmp_path)
    program = ROOT / os.environ.get("RELUFIT_BUILD", "build/release") / "relufit"
    run = subprocess.run(of_program(tmp_path, program, target, options), cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    arguments = {"hidden": (4,), **options}
    result = relufit.train(inputs, targets[target], target_names=[target], **arguments)
    result.model.save(tmp_path / "package.json")
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("m.json", "package.json"))
    for part in ("layers", "input_scaling", "target_scaling"):
        assert first.get(part) == second.get(part)
    for part in ("strategy", "status", "iterations"):
        assert first["training"][part] == second["training"][part]


def plan(loss: str = "squared", hidden: tuple[int, ...] = (3,), parameter: float = 0.5, **options):
    wanted = _core.TrainOptions()
    wanted.hidden = list(hidden)
    wanted.set_loss(loss, parameter)
    for name, value in options.items():
        setter = getattr(wanted, f"set_{name}", None)
        setter(value) if setter else setattr(wanted, name, value)
    return _core.plan(wanted)


def test_what_the_documents_call_defaults() -> None:
    """The numbers of the docstring of `train` and of the tables in docs/command-line.md, each found by its words."""
    docstring = " ".join(inspect.getdoc(relufit.train).split())
    tables = " ".join((ROOT / "docs" / "command-line.md").read_text().split())

    def number(text: str, pattern: str) -> float:
        found = re.search(pattern, text)
        assert found, pattern
        return float(found.group(1))

    exact, deep = plan("exact", method="relaxation"), plan("exact", (3, 3), method="relaxation")
    for value, *patterns in [
        (plan(init="zero").ridge, r"([\d.]+) with a start that is not random", r"start that is not random: ([\d.]+)"),
        (plan("absolute").iterations, r"default (\d+), before a path", r"`--iterations N` \| (\d+);"),
        (plan().iterations, r"path of ridges \(docs/strategies.md\) (\d+),", r"path of ridges\]\([^)]*\): (\d+);"),
        (plan("cross-entropy", ridge=0).iterations, r"cross-entropy and logistic (\d+)", r"cross-entropy and logistic: (\d+)"),
        (plan("hinge").iterations, r"hinge (\d+), a race", r"hinge: (\d+)"),
        (exact.iterations, r"a race for an exact fit \(docs/strategies.md\) (\d+),", r"exact in a \[race\]\([^)]*\): (\d+);"),
        (plan().over_relaxation, r"in \(0, 2\), default ([\d.]+)\.", r"`--over-relaxation A` \| ([\d.]+) "),
        (plan().penalty_pair, r"penalties, > 0, default (\d+), for", r"`--penalty-output R` \| (\d+);"),
        (deep.iterations, r"exact with several hidden layers (\d+)", r"exact with several hidden layers: (\d+)"),
        (plan("exact").iterations, r"layers 20 \((\d+);", r"local fits of a start \(default (\d+)\)"),
        (plan().random_scale, r"> 0; default (\d+); exact loss", r"`--random-scale S` \| (\d+);"),
        (exact.random_scale, r"exact loss ([\d.]+), with several", r"exact loss: ([\d.]+), with several"),
        (deep.random_scale, r"layers or constraints ([\d.]+), else", r"layers or constraints ([\d.]+), else"),
        (plan(activation="hard-tanh").random_scale, r'"hard-tanh" (\d+), of', r"`hard-tanh`: (\d+) \|"),
        (plan().lambda_pair, r"Weights of the relaxation, > 0; default (\d+)", r"`--lambda-pair L` \| (\d+);"),
        (plan().lambda_product, r"Weights of the relaxation, > 0; default (\d+)", r"`--lambda-product L` \| (\d+);"),
        (plan("hinge").lambda_pair, r"for classes (\d+)\.", r"`--lambda-pair L` \| 100; classification: (\d+)"),
        (plan().tolerance, r"largest violation, default ([\de-]+);", r"`--tolerance T` \| ([\de-]+) "),
        (plan("exact").tolerance, r"relative residual, default ([\de-]+)\.", r"relative residual \(default ([\de-]+);"),
    ]:
        for text, pattern in zip((docstring, tables), patterns):
            assert number(text, pattern) == pytest.approx(value), pattern
    for loss, path in {"squared": True, "huber": True, "logistic": True, "absolute": False, "exact": False}.items():
        assert plan(loss).polish and plan(loss).path == path
    assert plan().ridge is None and plan("exact").ridge == 0 and plan(ridge=0.1).ridge == 0.1
    assert plan().strategy == "inexact"
    assert plan(hidden=()).strategy == plan(inner_iterations=0).strategy == "converged"
    assert (plan("exact").method, plan("exact", polish=False).method, plan().method) == (
        "search", "relaxation", "relaxation"
    )
