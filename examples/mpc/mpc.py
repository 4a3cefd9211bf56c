"""Explicit model predictive control of a double integrator: the control law as a small exact network.

    python examples/mpc/mpc.py [--program build/release/relufit] [--out build/examples/mpc] [--seeds 1]

Labels states with a QP solver, trains a network of two clips to fit them exactly, compares it with the QP on a fine grid
of states, proves its error between them, exports it to C and runs the closed loop with the C code. README.md beside this
file explains the steps.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import time
from pathlib import Path

import daqp
import numpy as np
from explicit import Region, condensed, explicit_law, law_values
from relufit import Model, control

ROOT = Path(__file__).resolve().parents[2]
A = np.array([[1.0, 1.0], [0.0, 1.0]])
B = np.array([[0.5], [1.0]])
STATE_COST = np.eye(2)
INPUT_COST = np.array([[0.1]])
HORIZON = 2
DOMAIN = np.array([5.0, 3.0])  # |position|, |velocity|
SAMPLES = 160
EDGE_SAMPLES = 21  # on each side of the domain
TRAIN = ("--targets", "input", "--loss", "exact")
NETWORKS = {
    "clips": ("--activation", "hard-tanh", "--skip-connections", "--hidden", "1,1", "--starts", "2000",
              "--iterations", "5"),
    "relus": ("--hidden", "3,2"),  # no option of the relaxation: by the search for exact fits
}
MOST_ROUNDS = 5
WORST_ADDED = 5
EXACT = 1e-9  # rounding is near 1e-15, a bend in the wrong place far above
TOLERANCE = 1e-12  # regions of the law fit together up to rounding
STEPS = 30


def qp_inputs(hessian: np.ndarray, gradient: np.ndarray, states: np.ndarray) -> np.ndarray:
    """First inputs, each from a QP of its own."""
    inputs = np.empty(len(states))
    for i, state in enumerate(states):
        solution, _, flag, _ = daqp.solve(
            hessian, gradient @ state, np.eye(2), np.ones(2), -np.ones(2), np.zeros(2, dtype=np.int32)
        )
        assert flag == 1, f"QP solver: exit flag {flag}"
        inputs[i] = solution[0]
    return inputs


def labelled(hessian: np.ndarray, gradient: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Rows: position, velocity, input."""
    return np.column_stack([states, qp_inputs(hessian, gradient, states)])


def closed_form(hessian: np.ndarray, gradient: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Clip of a linear form plus a clip: what the two hidden layers are for."""
    linear = states @ gradient.T
    second_free = -np.linalg.solve(hessian, linear.T)[1]
    return np.clip(-(linear[:, 0] + hessian[0, 1] * np.clip(second_free, -1, 1)) / hessian[0, 0], -1, 1)


def sample_states(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Half of the states where the law is not constant, half anywhere; and the edges of the domain, corners included:
    a network that fits may bend between the outermost samples and the edge."""
    states = np.random.default_rng(0).uniform(-DOMAIN, DOMAIN, (20 * SAMPLES, 2))
    active = np.abs(qp_inputs(hessian, gradient, states)) < 1 - 1e-9
    along = np.linspace(-1, 1, EDGE_SAMPLES)
    corner_to_corner = [np.column_stack([along, np.full(EDGE_SAMPLES, side)]) for side in (-1.0, 1.0)]
    edges = np.vstack([*corner_to_corner, *(edge[:, ::-1] for edge in corner_to_corner)])
    anywhere, where_active = states[: SAMPLES // 2], states[SAMPLES // 2 :][active[SAMPLES // 2 :]][: SAMPLES // 2]
    return np.vstack([anywhere, where_active, edges * DOMAIN])


def grid_of_states(points: int = 201) -> np.ndarray:
    position, velocity = (np.linspace(-limit, limit, points) for limit in DOMAIN)
    return np.stack(np.meshgrid(position, velocity), axis=-1).reshape(-1, 2)


def write_csv(path: Path, columns: list[str], values: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *[[repr(float(value)) for value in row] for row in values]])


def run(program: str, *arguments: object) -> str:
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def predictions(program: str, out: Path, model: Path, states: np.ndarray) -> np.ndarray:
    write_csv(out / "grid.csv", ["position", "velocity"], states)
    run(program, "predict", model, out / "grid.csv", "--out", out / "predicted.csv")
    return np.loadtxt(out / "predicted.csv", skiprows=1)


def train_until_exact(
    program: str, out: Path, samples: np.ndarray, grid: np.ndarray, law: list[Region], seed: int, network: tuple
) -> bool:
    """Trains, and where the network is wrong on the grid of labelled states, again with the worst of them added; where
    it is right there but not proven to be so in between, with the state at which it is not."""
    data, model = out / f"states{seed}.csv", out / f"law{seed}.json"
    for attempt in range(MOST_ROUNDS):
        begin = time.perf_counter()
        write_csv(data, ["position", "velocity", "input"], samples)
        arguments = (data, *TRAIN, *network, "--seed", seed + 1000 * attempt, "--model", model, "--json")
        summary = json.loads(run(program, "train", *arguments))
        seconds = time.perf_counter() - begin
        errors = np.abs(predictions(program, out, model, grid[:, :2]) - grid[:, 2])
        proof = control.law_error(Model.load(model), control.box(-DOMAIN, DOMAIN), law, tolerance=TOLERANCE)
        print(f"| {seed} | {len(samples)} | {summary['status']} | {summary['best_start'] + 1} | {seconds:.1f} "
              f"| {summary['train']['all']['largest_error']:.1e} | {errors.max():.1e} | {proof.found:.1e} "
              f"| {proof.bound:.1e} |", flush=True)  # fmt: skip
        if errors.max() <= EXACT and proof.bound <= EXACT:
            return True
        worst = np.append(proof.point, law_values(law, proof.point[np.newaxis])[0])
        samples = np.vstack([samples, worst, grid[np.argsort(errors)[-WORST_ADDED:]]])
    return False


def closed_loop_qp(hessian: np.ndarray, gradient: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Rows: position, velocity, input."""
    rows, state = [], start
    for _ in range(STEPS):
        control = qp_inputs(hessian, gradient, state[None])
        rows.append([*state, *control])
        state = A @ state + B @ control
    return np.array(rows)


def closed_loop_c(program: str, out: Path, model: Path, start: np.ndarray) -> np.ndarray:
    run(program, "export", model, "--c", out / "law.h", "--name", "law")
    source = Path(__file__).with_name("closed_loop.c")
    compiler = ["cc", "-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{out}"]
    subprocess.run([*compiler, source, "-o", out / "closed_loop"], check=True)
    text = run(str(out / "closed_loop"), *map(repr, map(float, start)), STEPS)
    (out / "closed_loop.csv").write_text(text)
    return np.array([line.split(",") for line in text.splitlines()[1:]], dtype=float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "relufit"))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "examples" / "mpc")
    parser.add_argument("--seeds", type=int, default=1, help="trainings, each from starts of its own")
    parser.add_argument("--network", choices=NETWORKS, default="clips", help="two clips, or five ReLUs")
    arguments = parser.parse_args()
    network = NETWORKS[arguments.network]
    program, out = arguments.program, arguments.out
    out.mkdir(parents=True, exist_ok=True)

    problem = condensed(A, B, STATE_COST, INPUT_COST, HORIZON, 1.0)
    hessian, gradient, law = problem.hessian, problem.gradient, explicit_law(problem, -DOMAIN, DOMAIN, 1)
    grid = labelled(hessian, gradient, grid_of_states())
    difference = np.abs(grid[:, 2] - closed_form(hessian, gradient, grid[:, :2])).max()
    print(f"QP against closed form, {len(grid)} states: {difference:.1e}")
    difference = np.abs(grid[:, 2] - law_values(law, grid[:, :2])[:, 0]).max()
    print(f"QP against the explicit law of {len(law)} regions: {difference:.1e}")
    samples = labelled(hessian, gradient, sample_states(hessian, gradient))

    errors = "largest error, samples | on the grid | anywhere, found | anywhere, proven"
    columns = f"seed | samples | status | starts | seconds | {errors}"
    print(f"| {columns} |\n|" + "---|" * len(columns.split("|")))
    exact = [train_until_exact(program, out, samples, grid, law, seed, network) for seed in range(arguments.seeds)]
    print(f"proven to be the law: {sum(exact)} of {len(exact)}")

    start = np.array([4.0, 0.5])
    with_network = closed_loop_c(program, out, out / "law0.json", start)
    difference = np.abs(with_network - closed_loop_qp(hessian, gradient, start)).max()
    print(f"closed loop in C, {STEPS} steps from {start}: largest difference from the QP's {difference:.1e}, "
          f"final state {np.array2string(with_network[-1, :2], precision=1)}")  # fmt: skip


if __name__ == "__main__":
    main()
