"""bench/deep: the draws, what peers minimize, the judge, and relufit's run; bench/constraints.py: violations, peers."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "bench"))

from deep import relufit_run, report  # noqa: E402
from deep.contest import Contestant, Outcome, race, restarts  # noqa: E402
from deep.models import Model  # noqa: E402
from deep.problems import Problem, draw, kind_named, outputs  # noqa: E402
from teachers.contest import Ended  # noqa: E402
from teachers.peers import Watch, cholesky  # noqa: E402
from teachers.relufit_runs import write_problem  # noqa: E402

PROGRAM = REPOSITORY / os.environ.get("RELUFIT_BUILD", "build/release") / "relufit"
KINDS = ["4-6-6-2x1", "3-4-4-4-1x2"]


def teacher_of(problem: Problem) -> list[tuple[np.ndarray, np.ndarray]]:
    """Its layers, drawn again in the order of the recipe: all weights, then all biases."""
    rng = np.random.default_rng(problem.seed)
    widths = problem.kind.teacher
    weights = [rng.standard_normal((widths[i + 1], widths[i])) for i in range(len(widths) - 1)]
    biases = [rng.standard_normal(width) for width in widths[1:]]
    return [(0.5 * w, 0.1 * b) for w, b in zip(weights, biases)]


def flat(layers: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.concatenate([np.column_stack(layer).ravel() for layer in layers])


@pytest.mark.parametrize(("name", "samples"), [("4-6-6-2x1", 200), ("3-4-4-4-1x1", 300)])
def test_the_teacher_fits_exactly_and_a_changed_one_does_not(name: str, samples: int) -> None:
    problem = draw(kind_named(name), 3)
    assert problem.inputs.shape[1] == problem.targets.shape[1] == samples
    teacher = teacher_of(problem)
    assert problem.residual(teacher) < 1e-15
    (weights, bias), *others = teacher
    assert problem.residual([(weights, bias + 1e-6), *others]) > 1e-9
    assert problem.residual([(weights, np.full_like(bias, np.nan)), *others]) == float("inf")


def test_names_of_problems() -> None:
    assert kind_named("4-6-6-2x2").widths == (4, 12, 12, 2)
    assert kind_named("3-4-4-4-1x1").widths == (3, 4, 4, 4, 1)
    for name in ("4-6-6-2", "4-6-6-2x0", "4-6-6-2x", "3-3-2x1", ""):
        with pytest.raises(ValueError, match=f"'{name}'"):
            kind_named(name)


@pytest.mark.parametrize("name", KINDS)
def test_derivatives_of_the_model(name: str) -> None:
    model = Model(draw(kind_named(name), 2))
    parameters = model.start(np.random.default_rng(0))
    model.residuals(parameters)
    jacobian = model.jacobian_transposed(parameters).copy()
    steps = 1e-6 * np.eye(model.size)
    differences = np.array([model.residuals(parameters + step) - model.residuals(parameters - step) for step in steps])
    # Piecewise polynomial, and along one parameter linear: exact but for rounding, 1e-16 / 1e-6.
    np.testing.assert_allclose(jacobian, differences / 2e-6, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", KINDS)
def test_residuals_of_the_model_are_those_of_its_network(name: str) -> None:
    problem = draw(kind_named(name), 2)
    model = Model(problem)
    parameters = model.start(np.random.default_rng(1))
    values = outputs(model.network(parameters), problem.inputs)
    np.testing.assert_allclose(model.residuals(parameters), (values - problem.targets).ravel(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["4-6-6-2x1", "3-4-4-4-1x1"])
def test_levenberg_marquardt_finds_the_teacher_from_nearby(name: str) -> None:
    problem = draw(kind_named(name), 1)
    model = Model(problem)
    start = flat(teacher_of(problem)) + 1e-3 * np.random.default_rng(0).standard_normal(model.size)
    watch = Watch(problem.goal, 60)
    with pytest.raises(Ended):
        cholesky(5, 0.2)(model, start, watch)
    assert problem.residual(model.network(watch.parameters)) <= 1e-9


def test_restarts_keep_the_best_and_end_when_exact() -> None:
    """Ends of the first starts are given; the third is the teacher."""
    problem = draw(kind_named("4-6-6-2x1"), 1)
    teacher = flat(teacher_of(problem))
    ends = [teacher + 0.01, teacher + 0.1, teacher]

    def minimize(model: Model, _: np.ndarray, watch: Watch) -> None:
        end = ends.pop(0)
        values = model.residuals(end)
        watch.see(end, values @ values)

    outcome = restarts(minimize)(problem, 60)
    assert outcome.fits == 3
    assert problem.residual(outcome.layers) < 1e-15


def test_a_table_has_only_problems_that_everyone_has_done() -> None:
    problem = draw(kind_named("4-6-6-2x1"), 1)
    good = Contestant("good", lambda problem, _: Outcome(teacher_of(problem), 5, 1.0))
    races = [race(good, problem, 1), race(good, draw(problem.kind, 2), 1)]
    races += [races[0] | {"contestant": "bad", "residual": 1e-3}]
    text = report.table(races, "4-6-6-2x1")
    assert "; 1 problems" in text
    assert [line.split("|")[4].strip() for line in text.splitlines() if line.startswith(("| good", "| bad"))] == [
        "1",
        "0",
    ]


def test_the_network_of_relufit_is_read_back(tmp_path: Path) -> None:
    problem = draw(kind_named("3-4-4-4-1x1"), 0)
    data, model, predicted = (tmp_path / name for name in ("data.csv", "model.json", "predicted.csv"))
    targets = write_problem(data, problem)
    train = [PROGRAM, "train", data, "--targets", ",".join(targets), "--hidden", "4,4,4", "--loss", "exact"]
    subprocess.run([*train, "--iterations", "5", "--model", model], check=True, capture_output=True)
    subprocess.run([PROGRAM, "predict", model, data, "--out", predicted], check=True)
    with open(predicted, newline="") as file:
        expected = np.array([[float(value) for value in row] for row in list(csv.reader(file))[1:]])
    values = outputs(relufit_run.read_layers(model), problem.inputs)
    np.testing.assert_allclose(values.T, expected, rtol=0, atol=1e-12)


def test_relufit_is_interrupted_and_its_network_kept() -> None:
    problem = draw(kind_named("4-6-6-2x1"), 0)
    run = relufit_run.contestant(PROGRAM, ["--starts", "1000000", "--method", "relaxation", "--iterations", "2"]).run
    outcome = run(problem, 0.5)
    assert outcome.processor_seconds >= 0.5
    assert problem.residual(outcome.layers) < 1  # better than no network


def test_what_the_program_refuses_is_told() -> None:
    with pytest.raises(RuntimeError, match="--no-such-option"):
        relufit_run.contestant(PROGRAM, ["--no-such-option"]).run(draw(kind_named("4-6-6-2x1"), 0), 1)


def test_errors_in_pytorch_are_those_of_the_model() -> None:
    torch = pytest.importorskip("torch")
    from deep import torch_peers

    problem = draw(kind_named("3-4-4-4-1x2"), 2)
    model = Model(problem)
    vectors = [model.start(np.random.default_rng(seed)) for seed in (0, 1)]
    layers = [torch.tensor(np.stack(parts)) for parts in zip(*map(model.split, vectors))]
    found = torch_peers.errors(layers, torch.from_numpy(problem.inputs), torch.from_numpy(problem.targets)).numpy()
    for vector, errors in zip(vectors, found):
        np.testing.assert_allclose(errors.ravel(), model.residuals(vector), rtol=0, atol=1e-13)


@pytest.mark.parametrize("peer", [0, 1])
def test_pytorch_gets_better_with_time(peer: int) -> None:
    pytest.importorskip("torch")
    from deep import torch_peers

    problem = draw(kind_named("3-4-4-4-1x1"), 2)
    outcome = torch_peers.CONTESTANTS[peer].run(problem, 3)
    model = Model(problem)
    starts = [model.network(model.start(np.random.default_rng([2, start]))) for start in range(4)]
    assert problem.residual(outcome.layers) < min(map(problem.residual, starts))
