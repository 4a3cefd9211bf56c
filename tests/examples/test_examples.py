"""The examples do what their pages say, checked from the files they leave: data, models, compiled programs."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import forward, load_model, read_csv
from scipy.optimize import lsq_linear

Run = Callable[..., str]
STATES = ["position", "velocity"]
RISING = [f"worst_{name}" for name in ("radius", "texture", "perimeter", "area", "concavity", "concave_points")]


def cost(state: np.ndarray, inputs: np.ndarray, terminal: np.ndarray) -> float:
    """Of two steps of the double integrator, rolled out."""
    total = 0.0
    for step, control in enumerate(inputs):
        state = np.array([state[0] + state[1] + 0.5 * control, state[1] + control])
        total += 0.1 * control**2 + state @ (np.eye(2) if step == 0 else terminal) @ state
    return total


def terminal_cost() -> np.ndarray:
    """Fixed point of the Riccati recursion."""
    a, b = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([0.5, 1.0])
    p = np.eye(2)
    for _ in range(1000):
        gain = (b @ p @ a) / (0.1 + b @ p @ b)
        p = np.eye(2) + a.T @ p @ a - np.outer(a.T @ p @ b, gain)
    return p


def quadratic(terminal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Second derivatives of the cost, a quadratic form, by polarization: of the inputs, and mixed with the state."""
    unit, none = np.eye(2), np.zeros(2)

    def form(state: np.ndarray, inputs: np.ndarray) -> float:
        return cost(state, inputs, terminal)

    hessian = [[form(none, e + f) - form(none, e) - form(none, f) for f in unit] for e in unit]
    gradient = [[form(s, e) - form(s, none) - form(none, e) for s in unit] for e in unit]
    return np.array(hessian), np.array(gradient)


def first_inputs(states: np.ndarray) -> np.ndarray:
    """Minimizers over the box: of the stationary points of all its faces the feasible one with the least cost."""
    hessian, gradient = quadratic(terminal_cost())
    linear = states @ gradient.T
    best, chosen = np.full(len(states), np.inf), np.zeros(len(states))
    for face in product((None, -1.0, 1.0), repeat=2):
        fixed = [i for i in (0, 1) if face[i] is not None]
        free = [i for i in (0, 1) if face[i] is None]
        inputs = np.tile([value or 0.0 for value in face], (len(states), 1))
        if free:
            right = -(linear[:, free] + inputs[:, fixed] @ hessian[np.ix_(fixed, free)])
            inputs[:, free] = np.linalg.solve(hessian[np.ix_(free, free)], right.T).T
        value = 0.5 * np.einsum("ni,ij,nj->n", inputs, hessian, inputs) + np.sum(linear * inputs, axis=1)
        value[np.abs(inputs).max(axis=1) > 1 + 1e-12] = np.inf
        better = value < best
        best[better], chosen[better] = value[better], inputs[better, 0]
    return chosen


def test_mpc_law(run_example: Run, tmp_path: Path) -> None:
    pytest.importorskip("highspy")
    assert "proven to be the law: 1 of 1" in run_example("mpc")
    data = read_csv(tmp_path / "states0.csv")
    states = np.column_stack([data[name] for name in STATES])
    np.testing.assert_allclose(data["input"], first_inputs(states), rtol=0, atol=1e-12)

    model = load_model(tmp_path / "law0.json")
    assert [len(layer["bias"]) for layer in model["layers"]] == [1, 1, 1]
    assert model["activation"] == "hard-tanh"
    # Finer than the script's own grid of states, and with other points.
    fine = np.stack(np.meshgrid(*(np.linspace(-limit, limit, 332) for limit in (5, 3))), axis=-1).reshape(-1, 2)
    expected = first_inputs(fine)
    np.testing.assert_allclose(forward(model, dict(zip(STATES, fine.T)))[:, 0], expected, rtol=0, atol=1e-9)
    # A law with all of its pieces, not a saturated linear one.
    gain = first_inputs(1e-3 * np.eye(2)) / 1e-3
    assert np.abs(expected - np.clip(fine @ gain, -1, 1)).max() > 0.1
    assert np.mean(np.abs(expected) > 1 - 1e-12) > 0.3

    loop = read_csv(tmp_path / "closed_loop.csv")
    states = np.column_stack([loop[name] for name in STATES])
    np.testing.assert_allclose(loop["input"], first_inputs(states), rtol=0, atol=1e-9)
    step = np.array([[1.0, 1.0], [0.0, 1.0]]) @ states[:-1].T + np.outer([0.5, 1.0], loop["input"][:-1])
    np.testing.assert_allclose(states[1:], step.T, rtol=0, atol=1e-14)
    assert np.abs(states[0]).max() > 3 and np.abs(states[-1]).max() < 1e-9
    assert np.abs(loop["input"]).max() == pytest.approx(1, abs=1e-9)


def bounded_optimum(
    a: np.ndarray, b: np.ndarray, costs: tuple[np.ndarray, np.ndarray], horizon: int, state: np.ndarray
) -> np.ndarray:
    """First inputs of least cost with |u| <= 1, as bounded least squares over the roots of all costs."""
    state_root, input_root = (np.linalg.cholesky(cost).T for cost in costs)
    terminal = costs[0]
    for _ in range(1000):
        gain = np.linalg.solve(costs[1] + b.T @ terminal @ b, b.T @ terminal @ a)
        terminal = costs[0] + a.T @ terminal @ (a - b @ gain)
    inputs = b.shape[1]
    reached, rows, right = np.zeros((len(a), inputs * horizon)), [], []
    for step in range(horizon):
        reached, state = a @ reached, a @ state
        reached[:, step * inputs : (step + 1) * inputs] += b
        root = state_root if step + 1 < horizon else np.linalg.cholesky(terminal).T
        rows += [root @ reached, np.kron(np.eye(horizon)[step], input_root)]
        right += [-root @ state, np.zeros(inputs)]
    found = lsq_linear(np.vstack(rows), np.concatenate(right), (-1, 1), method="bvls", tol=1e-14)
    return found.x[:inputs]


PLANTS = {
    "oscillator": (np.diag([1, 0.2]), 0.05 * np.eye(1), 4, 3.0),
    "heating": (np.eye(2), 0.1 * np.eye(2), 2, 6.0),
}


def matrices(name: str) -> tuple[np.ndarray, np.ndarray]:
    """x+ = a x + b u; of the spring by many short steps."""
    if name == "heating":
        return np.array([[0.85, 0.12], [0.12, 0.85]]), np.array([[0.3, 0.06], [0.06, 0.3]])
    short = np.eye(3) + 0.5 / 2**20 * np.array([[0, 1, 0], [-1, -0.1, 1], [0, 0, 0]])
    whole = np.linalg.matrix_power(short, 2**20)
    return whole[:2, :2], whole[:2, 2:]


@pytest.mark.parametrize("name", PLANTS)
def test_plants(name: str, run_example: Run, tmp_path: Path) -> None:
    pytest.importorskip("highspy")
    printed = run_example("plants", "--plant", name, "--adam-seeds", "0", takes_program=False)
    proven = float(re.search(r"\| relufit, .* \| (\S+) \|", printed)[1])
    assert proven < 1e-9
    model = load_model(tmp_path / name / "network.json")
    state_cost, input_cost, horizon, size = PLANTS[name]
    a, b = matrices(name)
    generator = np.random.default_rng(3)
    states = generator.uniform(-size, size, (400, 2)) * generator.uniform(0, 1, (400, 1))  # more where it is not constant
    found = forward(model, dict(zip(model["input_names"], states.T)))
    expected = [bounded_optimum(a, b, (state_cost, input_cost), horizon, state) for state in states]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)  # the spring's short steps, and the solver
    assert np.mean(np.abs(found) > 1 - 1e-9) > 0.3 and np.mean(np.abs(found) < 0.9) > 0.1

    # What is proven to stay: a box, and a polygon.
    assert "under the closed loop: invariant" in printed
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    polygon = np.column_stack([np.cos(angles), np.sin(angles)]) @ [[1, 0.2], [0, 0.9]]
    rows, limit = (polygon, 2.6) if name == "oscillator" else (np.vstack([np.eye(2), -np.eye(2)]), size)
    states = states[(states @ rows.T <= limit).all(axis=1)]
    for _ in range(20):
        states = states @ a.T + forward(model, dict(zip(model["input_names"], states.T))) @ b.T
        assert (states @ rows.T < limit).all()


def labelled_rows(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    malignant = np.array([row.pop("diagnosis") == "malignant" for row in rows])
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}, malignant


def falls(model: dict[str, Any], box: dict[str, np.ndarray]) -> int:
    """Of 100 000 random points in twice the box of the data, those where the log odds fall with a larger input."""
    random = np.random.default_rng(5)
    table = {}
    for name in model["input_names"]:
        low, high = box[name].min(), box[name].max()
        table[name] = random.uniform(low - (high - low) / 2, high + (high - low) / 2, 100_000)
    before = forward(model, table)[:, 0]
    fell = np.zeros(len(before), dtype=bool)
    for name in RISING:
        step = np.ptp(box[name]) * random.random(len(before))
        after = forward(model, {**table, name: table[name] + step})[:, 0]
        fell |= after < before - 1e-12 * np.abs(before).max()
    return int(fell.sum())


def accuracy_and_loss(
    model: dict[str, Any], table: dict[str, np.ndarray], malignant: np.ndarray
) -> tuple[float, float]:
    odds = forward(model, table)[:, 0]
    return float(np.mean((odds > 0) == malignant)), float(np.mean(np.logaddexp(0, np.where(malignant, -odds, odds))))


def test_monotone_risk(run_example: Run, tmp_path: Path) -> None:
    printed = run_example("risk")
    measured: dict[str, list[tuple[float, float]]] = {"free": [], "monotone": []}
    fell = {"free": 0, "monotone": 0}
    held_out = 0
    for split in range(9):
        train, test = (labelled_rows(tmp_path / f"{part}{split}.csv") for part in ("train", "test"))
        rows = [{tuple(row) for row in np.column_stack(list(part[0].values()))} for part in (train, test)]
        assert not rows[0] & rows[1]
        held_out += len(test[1])
        for name, values in measured.items():
            model = load_model(tmp_path / f"{name}{split}.json")
            assert model["target_names"] == ["diagnosis=malignant"]
            values.append(accuracy_and_loss(model, *test))
            fell[name] += falls(model, train[0])
        # The last is the monotone one, of one hidden layer: every path has a slope >= 0.
        first, last = (np.array(layer["weights"]) for layer in model["layers"])
        paths = last[0][:, None] * first[:, [model["input_names"].index(input_name) for input_name in RISING]]
        assert paths.min() >= 0 and paths.max() > 0
    assert held_out == 3 * 569
    assert fell["monotone"] == 0 < fell["free"]

    for name, values in measured.items():
        accuracy, loss = np.mean(values, axis=0)
        assert f"| {name} | {accuracy:.4f} | {loss:.4f} |" in printed
    assert re.search(r"\| monotone \|.*\| 9 of 9 \| 0.00% \| 0.00% \|", printed)
    accuracy, loss = np.mean(measured["monotone"], axis=0)
    regression = re.search(r"\| logistic regression \| [\d.]+ \| ([\d.]+) \|", printed)
    assert regression and accuracy > 0.96 and loss < float(regression[1])
    assert loss < 1.1 * np.mean(measured["free"], axis=0)[1]


def exact_output(model: dict[str, Any], inputs: list[Fraction]) -> Fraction:
    """In rational arithmetic."""
    values = inputs
    for index, layer in enumerate(model["layers"]):
        values = [
            sum((Fraction(weight) * value for weight, value in zip(row, values)), Fraction(bias))
            for row, bias in zip(layer["weights"], layer["bias"])
        ]
        if index + 1 < len(model["layers"]):
            values = [max(value, Fraction(0)) for value in values]
    return values[0]


def check_grid(model: dict[str, Any], bits: int, printed: str, table: dict[str, np.ndarray]) -> None:
    weights = [Fraction(weight) for layer in model["layers"] for row in layer["weights"] for weight in row]
    biases = [Fraction(bias) for layer in model["layers"] for bias in layer["bias"]]
    assert all((number * 2**bits).denominator == 1 for number in (*weights, *biases))
    assert max(map(abs, weights)) == 1  # the bound is kept, and binds
    row = re.search(rf"\| 2\^-{bits} \| \S+ \| (\S+) \| (\S+) \|", printed)
    assert row and float(row[2]) < float(row[1])
    errors = forward(model, table)[:, 0] - table["pressure"]
    # Printed with three digits.
    assert np.mean(errors**2) / 2 / np.var(table["pressure"]) == pytest.approx(float(row[2]), rel=6e-3)


def test_embedded_network(run_example: Run, tmp_path: Path) -> None:
    printed = run_example("embedded")
    for bits in (6, 4, 3):
        check_grid(load_model(tmp_path / f"grid{bits}.json"), bits, printed, read_csv(tmp_path / "train.csv"))

    model, test = load_model(tmp_path / "grid6.json"), read_csv(tmp_path / "test.csv")
    errors = forward(model, test)[:, 0] - test["pressure"]
    columns = np.column_stack([test["reading"], test["temperature"], np.ones(len(errors))])
    plane = columns @ np.linalg.lstsq(columns, test["pressure"], rcond=None)[0] - test["pressure"]
    assert np.std(errors) < 0.3 * np.std(plane) and np.abs(errors).max() < 0.5 * np.abs(plane).max()

    # Digitized inputs are multiples of 2^-10. Every output of the compiled program is the exact number.
    rows = [[Fraction(test[name][i]) for name in ("reading", "temperature")] for i in range(300)]
    assert all((value * 1024).denominator == 1 for row in rows for value in row)
    text = "\n".join(",".join(repr(float(value)) for value in row) for row in rows)
    run = subprocess.run([tmp_path / "linearize"], input=text, capture_output=True, text=True, check=True)
    assert [Fraction(float(line)) for line in run.stdout.split()] == [exact_output(model, row) for row in rows]
    assert "0 of 2000 outputs differ" in printed
    sums = re.search(r"sums below 2\^(\d+)", printed)
    assert sums and int(sums[1]) <= 31
