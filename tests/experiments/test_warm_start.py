"""experiments/warm_start: what starts and arms are, and that the committed tables and figure follow from the results."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "experiments"), str(REPOSITORY / "bench")]

from warm_start import figure, report, summary  # noqa: E402
from warm_start.starts import Start, kaiming, make_start, network_of, refitted, refusal, relaxation  # noqa: E402
from warm_start.tasks import CURVE_POINTS, curve_times, make_task  # noqa: E402

EXPERIMENT = REPOSITORY / "experiments" / "warm_start"
RESULTS, PILOT = EXPERIMENT / "results.jsonl.gz", EXPERIMENT / "pilot.json"


def test_the_tables_follow_from_the_results(tmp_path: Path) -> None:
    report.write(RESULTS, PILOT, tmp_path / "tables.md", tmp_path / "figure.svg")
    assert (tmp_path / "tables.md").read_text() == (EXPERIMENT / "tables.md").read_text()


def test_the_figure_shows_the_results() -> None:
    rows = summary.load(RESULTS)
    drawn = figure.picture(summary.table(rows, json.loads(PILOT.read_text()))).axes[2]  # data sets, Adam
    by_seed = {
        start: {
            r["seed"]: r["level"] for r in rows if (r["task"], r["start"], r["optimizer"]) == ("wine", start, "adam")
        }
        for start in ("kaiming", "relaxation 100")
    }
    ratios = [level / by_seed["kaiming"][seed] for seed, level in by_seed["relaxation 100"].items()]
    expected = math.exp(np.median(np.log(ratios)))
    row = [label.get_text() for label in drawn.get_yticklabels()].index("wine")
    marks = [line for line in drawn.lines if line.get_marker() == "s" and abs(line.get_ydata()[0] - row) < 0.5]
    assert [mark.get_xdata()[0] for mark in marks][1] == pytest.approx(expected, rel=1e-12)


def test_results_are_complete_and_within_their_time() -> None:
    rows = summary.load(RESULTS)
    seeds = {}
    for row in rows:
        seeds.setdefault(row["task"], {}).setdefault((row["start"], row["optimizer"]), []).append(row["seed"])
        # Starts cannot be cut short.
        allowed = max(make_task(row["task"], row["seed"]).budget, row["start_seconds"])
        assert row["seconds"] < 1.25 * allowed + 0.1
        assert row["seconds"] >= row["start_seconds"]
    for by_arm in seeds.values():
        assert len({tuple(sorted(found)) for found in by_arm.values()}) == 1
        assert all(len(set(found)) == len(found) for found in by_arm.values())


@pytest.mark.parametrize("name", ["A", "C", "F6", "iris", "diabetes"])
def test_a_start_predicts_what_the_model_does(name: str) -> None:
    task = make_task(name, 0)
    model, _ = relaxation(task, 0, 10)
    network = network_of(model, task)
    outputs = model.predict(np.ascontiguousarray(task.inputs.T))
    np.testing.assert_allclose(network(task.inputs, task.relu_output).T, outputs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("variant", ["torch", "he"])
def test_starts_do_not_know_the_teacher(variant: str, number: int) -> None:
    """Drawn from the same stream they would be the teacher's weights, but for a factor."""
    correlations = []
    for seed in range(20):
        weights = kaiming(make_task("E", seed), number, variant).w1
        teacher = np.random.default_rng(seed).standard_normal(weights.shape)  # as bench/teachers draws
        correlations.append(np.corrcoef(weights.ravel(), teacher.ravel())[0, 1])
    # Independent: of deviation 1 / sqrt(20 x 100).
    assert abs(np.mean(correlations)) < 0.1


@pytest.mark.parametrize("name", ["A", "F6", "iris", "diabetes"])
def test_pytorch_computes_what_the_start_does(name: str) -> None:
    torch = pytest.importorskip("torch")
    from warm_start.descents import tensors
    from warm_start.networks import Objective

    task = make_task(name, 1)
    network = make_start(task, "relaxation 10", 0).network
    with torch.no_grad():
        outputs = Objective(task).outputs(tensors(task, [network]))[0].numpy()
    np.testing.assert_allclose(outputs, network(task.inputs, task.relu_output), rtol=0, atol=1e-12)


def test_objectives_by_their_definitions() -> None:
    pytest.importorskip("torch")
    from warm_start.networks import level

    task = make_task("C", 2)
    network = kaiming(task, 0)
    assert level(task, network) == pytest.approx(task.problem.residual(network), rel=1e-12)
    task = make_task("iris", 2)
    network = kaiming(task, 0)
    scores = network(task.inputs, False)
    losses = [math.log(np.exp(z).sum()) - z[label] for z, label in zip(scores.T, task.targets, strict=True)]
    weights = (network.w1**2).sum() + (network.w2**2).sum()
    assert level(task, network) == pytest.approx(np.mean(losses) + 0.0015 * weights, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "l-bfgs"])
def test_an_arm_pays_for_its_start(optimizer: str) -> None:
    pytest.importorskip("torch")
    from warm_start.arms import Settings, run_arm

    task = make_task("C", 3)
    settings = Settings({"kaiming": 0.01}, {optimizer: "torch"}, {})
    network = kaiming(task, 0)
    spent = run_arm(task, "kaiming", optimizer, Start(network, 7.0), settings)
    assert spent["level"] == pytest.approx(task.problem.residual(network), rel=1e-5)  # no time for a step
    assert spent["seconds"] >= 7.0
    assert set(spent["curve"]) == {None}  # nothing was there within the budget
    half = run_arm(task, "kaiming", optimizer, Start(network, 0.5), settings)
    assert half["level"] < spent["level"]
    assert half["seconds"] >= 0.5
    assert half["curve"][0] is None
    assert half["curve"][-1] < spent["level"]


def test_restarts_begin_elsewhere_and_are_paid_for() -> None:
    pytest.importorskip("torch")
    from warm_start.descents import quasi_newton

    task = make_task("A", 0)
    numbers = []

    def restart(number: int) -> Start:
        numbers.append(number)
        return Start(kaiming(task, number), 0.0)

    record, ended = quasi_newton(task, Start(kaiming(task, 0), 0.0), restart)
    assert numbers == list(range(1, len(ended)))
    assert record.level <= min(ended) * (1 + 1e-12)


def test_medians_ratios_and_signs() -> None:
    assert summary.median_interval([1.0, 2.0, math.inf]).value == 2.0
    assert math.isinf(summary.median_interval([1.0, math.inf]).value)
    row = {"task": "wine", "optimizer": "adam", "solved": None, "start_seconds": 0.1, "start_level": 5.0}
    row |= {"start_dead_units": 1, "descents": 1, "first_level": 1.0, "held_out_loss": 2.0}
    # Level and, in points of the curve, when it is reached; None: it is not.
    runs = {"kaiming": [(1.0, 10), (2.0, None), (4.0, 20)], "gated": [(0.5, 5), (1.0, 30), (8.0, None)]}
    rows = [
        row | {"start": start, "seed": seed, "level": level}
        | {"curve": [3.0 if point is None or i < point else 0.9 for i in range(CURVE_POINTS)]}
        for start, found in runs.items()
        for seed, (level, point) in enumerate(found)
    ]  # fmt: skip
    cell = summary.compare(rows, "wine", "gated", "adam", threshold=1.0)
    assert (cell.ratio.value, cell.better, cell.worse, cell.sooner, cell.later) == (pytest.approx(0.5), 2, 1, 2, 1)
    assert (cell.reached, cell.reached_seconds, cell.start_dead_units) == (2, curve_times("wine")[30], 1.0)
    with pytest.raises(ValueError, match="seeds"):
        summary.compare(rows[:-1], "wine", "gated", "adam", threshold=1.0)


def test_units_are_refitted_and_balanced() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.standard_normal((50, 3)), np.ones(50)])
    hidden, w2, b2 = rng.standard_normal((4, 4)), rng.standard_normal((2, 4)), rng.standard_normal(2)
    targets = np.maximum(rows @ hidden.T, 0) @ w2.T + b2
    network = refitted(hidden, rows, targets)
    np.testing.assert_allclose(network(rows[:, :3].T, False).T, targets, rtol=0, atol=1e-12)
    incoming = np.linalg.norm(np.column_stack([network.w1, network.b1]), axis=1)
    np.testing.assert_allclose(incoming, np.linalg.norm(network.w2, axis=0), rtol=1e-12)


def test_which_starts_are_refused() -> None:
    assert refusal(make_task("C", 0), "gated") is None
    assert refusal(make_task("diabetes", 0), "gated") is None
    assert "linear" in refusal(make_task("A", 0), "gated")
    assert "fixed" in refusal(make_task("F6", 0), "gated")
    assert "squared" in refusal(make_task("iris", 0), "gated")
    assert refusal(make_task("digits", 0), "relaxation 1000")
