"""Two more controllers as networks, proven to be the laws, beside the laws themselves and networks trained by Adam.

    python examples/plants/plants.py [--out build/examples/plants] [--plant oscillator|heating]

A mass on a spring, one force, horizon 4; two rooms with a heater each, two inputs, horizon 2. README.md beside this file
explains the steps.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import relufit
from relufit import Model, control
from scipy.linalg import expm
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "mpc"))
from explicit import Program, Region, condensed, corners, explicit_law, law_values

EXACT = 1e-9  # rounding and the tolerance of the regions are near 1e-11, a bend in the wrong place far above
TOLERANCE = 1e-12
INSIDE = 8  # random samples in each region
STARTS, ROUNDS = 300, 10
LARGE, ADAM_STEPS = 20, 10_000
STATES = 2000  # of which the time of evaluation is taken


@dataclass(frozen=True)
class Plant:
    a: np.ndarray
    b: np.ndarray
    state_cost: np.ndarray
    input_cost: np.ndarray
    domain: np.ndarray
    horizon: int
    hidden: tuple[int, ...]  # clips in each layer
    kept: tuple[np.ndarray, np.ndarray]  # states that the closed loop is to keep


def plants() -> dict[str, Plant]:
    spring = expm(0.5 * np.array([[0, 1, 0], [-1, -0.1, 1], [0, 0, 0]]))  # steps of half a second
    rooms, heaters = np.array([[0.85, 0.12], [0.12, 0.85]]), np.array([[0.3, 0.06], [0.06, 0.3]])
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    polygon = np.column_stack([np.cos(angles), np.sin(angles)]) @ [[1, 0.2], [0, 0.9]], np.full(16, 2.6)
    warm = np.full(2, 6.0)
    return {
        "oscillator": Plant(
            spring[:2, :2], spring[:2, 2:], np.diag([1, 0.2]), 0.05 * np.eye(1), np.full(2, 3.0), 4, (2, 1, 1), polygon
        ),
        "heating": Plant(rooms, heaters, np.eye(2), 0.1 * np.eye(2), warm, 2, (4, 2), control.box(-warm, warm)),
    }


def samples_of(law: list[Region], generator: np.random.Generator) -> np.ndarray:
    """The corners of each region, which say what the law is in it, and some random states between them."""
    states = []
    for region in law:
        ends = corners(region)
        states += [ends, generator.dirichlet(np.ones(len(ends)), INSIDE) @ ends]
    return np.vstack(states)


def train_until_proven(plant: Plant, law: list[Region]) -> tuple[Model, control.LawError]:
    """Adds to the samples where the network is farthest from the law, until it is proven to be the law."""
    domain = control.box(-plant.domain, plant.domain)
    states = samples_of(law, np.random.default_rng(0))
    for attempt in range(ROUNDS):
        began = time.perf_counter()
        trained = relufit.train(
            states, law_values(law, states), plant.hidden, activation="hard-tanh", skip_connections=True,
            loss="exact", iterations=20, starts=STARTS, seed=attempt,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        model = trained.model.folded()  # on raw data: its scalings are in its weights
        proof = control.law_error(model, domain, law, tolerance=TOLERANCE)
        print(f"| {len(states)} | {trained.best_start + 1} | {seconds:.1f} "
              f"| {trained.evaluation.all.largest_error:.1e} | {proof.found:.1e} | {proof.bound:.1e} "
              f"| {time.perf_counter() - began - seconds:.1f} |", flush=True)  # fmt: skip
        if proof.bound <= EXACT:
            break
        states = np.vstack([states, proof.output_points])
    return model, proof


def large_network_by_adam(plant: Plant, states: np.ndarray, inputs: np.ndarray, seed: int) -> tuple[float, Model]:
    """Two layers of ReLUs by scikit-learn: its loss and the network."""
    network = MLPRegressor(
        hidden_layer_sizes=(LARGE, LARGE), solver="adam", alpha=0, learning_rate_init=0.005, max_iter=1000, tol=1e-7,
        n_iter_no_change=100, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(states, inputs if inputs.shape[1] > 1 else inputs[:, 0])
    return network.loss_, Model([(weights.T, bias) for weights, bias in zip(network.coefs_, network.intercepts_)])


def same_network_by_adam(plant: Plant, states: np.ndarray, inputs: np.ndarray, seed: int) -> tuple[float, Model]:
    """The layers of relufit's network, clips that see the states as well, on all samples at once."""
    generator, scaled = np.random.default_rng(seed), states / plant.domain
    widths, dimension = [*plant.hidden, inputs.shape[1]], states.shape[1]
    seen = [dimension, *(width + dimension for width in plant.hidden)]
    parameters = [generator.normal(size=(after, before)) for after, before in zip(widths, seen)]
    parameters += [generator.normal(size=after) / 2 for after in widths]
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    for step in range(1, ADAM_STEPS + 1):
        loss, gradients = loss_and_gradients(parameters, scaled, inputs)
        rate = 0.01 * (1 - step / ADAM_STEPS) / (1 - 0.9**step)
        for p, g, m, v in zip(parameters, gradients, first, second):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= rate * m / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    layers = list(zip(parameters[: len(widths)], parameters[len(widths) :]))
    scaling = np.zeros(dimension), plant.domain
    return loss, Model(layers, input_scaling=scaling, activation="hard-tanh", skip_connections=True).folded()


def loss_and_gradients(
    parameters: list[np.ndarray], states: np.ndarray, inputs: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    depth = len(parameters) // 2
    weights, biases = parameters[:depth], parameters[depth:]
    seen, z = [states], []
    for layer in range(depth):
        z.append(seen[-1] @ weights[layer].T + biases[layer])
        seen.append(np.hstack([np.clip(z[-1], -1, 1), states]))
    errors = z[-1] - inputs
    slope = 2 * errors / len(states)
    of_weights, of_biases = [], []
    for layer in reversed(range(depth)):
        of_weights.insert(0, slope.T @ seen[layer])
        of_biases.insert(0, slope.sum(axis=0))
        if layer > 0:
            back = (slope @ weights[layer])[:, : len(biases[layer - 1])]
            slope = back * (np.abs(z[layer - 1]) < 1)
    return float((errors**2).sum() / len(states)), of_weights + of_biases


def trained_by_adam(plant: Plant, law: list[Region], seeds: int) -> dict[str, Model]:
    """Of each kind the best of some seeds, on many random states and the corners."""
    generator = np.random.default_rng(1)
    states = np.vstack([samples_of(law, generator), generator.uniform(-plant.domain, plant.domain, (2000, 2))])
    inputs = law_values(law, states)
    found = {}
    for kind in (same_network_by_adam, large_network_by_adam) if seeds else ():
        _, model = min((kind(plant, states, inputs, seed) for seed in range(seeds)), key=lambda pair: pair[0])
        found[f"Adam, {'-'.join(map(str, model.widths))}, {model.activation}"] = model
    return found


def numbers_of(layers: list[tuple[np.ndarray, np.ndarray]]) -> int:
    return sum(weights.size + bias.size for weights, bias in layers)


def evaluated_in_c(out: Path, name: str, header: str, plant: Plant, states: np.ndarray) -> tuple[np.ndarray, float]:
    """Inputs (states, inputs) as compiled code computes them, and nanoseconds for each."""
    (out / f"{name}.h").write_text(header)
    shape = f"-DINPUTS={plant.b.shape[1]}", f"-DSTATES={len(plant.domain)}", f"-DFUNCTION={name}_predict"
    source, program = Path(__file__).with_name("evaluate.c"), out / name
    compiler = ["cc", "-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", *shape, "-include"]
    subprocess.run([*compiler, out / f"{name}.h", source, "-o", program], check=True)
    text = "\n".join(" ".join(map(repr, map(float, state))) for state in states)
    ran = subprocess.run([program], input=text, check=True, capture_output=True, text=True)
    return np.array([line.split() for line in ran.stdout.splitlines()], dtype=float), float(ran.stderr)


def law_in_c(law: list[Region], name: str) -> str:
    """Regions one after the other until one has the state."""
    states, inputs = law[0][2].shape[1], law[0][2].shape[0]
    lines = [f"static void {name}_predict(const double x[{states}], double u[{inputs}]) {{"]
    for number, (rows, limits, gain, offset) in enumerate(law):
        sides = " && ".join(f"{affine(row)} <= {float(limit)!r}" for row, limit in zip(rows, limits))
        values = " ".join(f"u[{i}] = {affine(gain[i])} + {float(offset[i])!r};" for i in range(inputs))
        last = number + 1 == len(law)  # a state between two regions, by rounding, gets the last
        lines.append(f"  {values}" if last else f"  if ({sides}) {{ {values} return; }}")
    return "\n".join([*lines, "}", ""])


def affine(row: np.ndarray) -> str:
    return " + ".join(f"{float(weight)!r} * x[{i}]" for i, weight in enumerate(row))


def compare_with_ppopt(plant: Plant, program: Program, law: list[Region]) -> None:
    """The same law by another program for such problems, where it is installed: regions, sides, seconds, difference."""
    try:
        from ppopt.mp_solvers.solve_mpqp import mpqp_algorithm, solve_mpqp
        from ppopt.mpqp_program import MPQP_Program
    except ImportError:
        print("not compared: no package ppopt")
        return
    began = time.perf_counter()
    box, limits = control.box(-plant.domain, plant.domain)
    count, inputs = len(program.hessian), plant.b.shape[1]
    found = solve_mpqp(
        MPQP_Program(
            program.rows, program.limits[:, None], np.zeros((count, 1)), program.gradient, program.hessian, box,
            limits[:, None], program.of_state,
        ),
        mpqp_algorithm.combinatorial,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    states = np.random.default_rng(3).uniform(-plant.domain, plant.domain, (STATES, len(plant.domain)))
    values = np.array([np.ravel(found.evaluate(state[:, None]))[:inputs] for state in states])
    difference = np.abs(values - law_values(law, states)).max()
    sides = sum(len(region.f) for region in found.critical_regions)
    print(f"PPOPT: {len(found.critical_regions)} regions of {sides} sides in {seconds:.1f} s, here {len(law)} of "
          f"{sum(len(region[1]) for region in law)}; largest difference {difference:.1e}")  # fmt: skip


def report(out: Path, plant: Plant, law: list[Region], networks: dict[str, tuple[Model, float]]) -> None:
    """Memory, operations and time of the law by its regions and of networks, with their proven errors."""
    states = np.random.default_rng(2).uniform(-plant.domain, plant.domain, (STATES, len(plant.domain)))
    expected, (inputs, dimension) = law_values(law, states), law[0][2].shape
    print(
        "| controller | numbers | bytes | multiplications at most | ns | largest error, proven |\n" + "|---" * 6 + "|"
    )
    sides = sum(len(limits) for _, limits, _, _ in law)
    numbers = sides * (dimension + 1) + len(law) * inputs * (dimension + 1)
    found, nanoseconds = evaluated_in_c(out, "law", law_in_c(law, "law"), plant, states)
    assert np.abs(found - expected).max() < EXACT
    operations = sides * dimension + inputs * dimension
    print(f"| {len(law)} regions | {numbers} | {8 * numbers} | {operations} | {nanoseconds:.0f} | |")
    for label, (model, error) in networks.items():
        name = "network_" + "".join(character for character in label.lower() if character.isalnum())
        model.to_c(out / f"{name}.h", name=name)
        found, nanoseconds = evaluated_in_c(out, name, (out / f"{name}.h").read_text(), plant, states)
        assert np.abs(found - expected).max() <= error + EXACT
        numbers = numbers_of(model.layers)
        weights = sum(weights.size for weights, _ in model.layers)
        print(f"| {label} | {numbers} | {8 * numbers} | {weights} | {nanoseconds:.0f} | {error:.1e} |", flush=True)


def closed_loop(plant: Plant, model: Model) -> None:
    reach = control.output_range(model, control.box(-plant.domain, plant.domain))
    print(f"inputs proven within {reach.lower.min():.9f} and {reach.upper.max():.9f}")
    loop = control.invariance(model, plant.kept, plant.a, plant.b)
    print(f"a set of {len(loop.slack)} sides under the closed loop: {loop.status}, slack {loop.slack.min():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "examples" / "plants")
    parser.add_argument("--plant", choices=plants(), help="one of them only")
    parser.add_argument("--adam-seeds", type=int, default=5, help="0: without networks trained by Adam")
    arguments = parser.parse_args()
    for name, plant in plants().items():
        if arguments.plant not in (None, name):
            continue
        out = arguments.out / name
        out.mkdir(parents=True, exist_ok=True)
        problem = condensed(plant.a, plant.b, plant.state_cost, plant.input_cost, plant.horizon, 1.0)
        law = explicit_law(problem, -plant.domain, plant.domain, plant.b.shape[1])
        print(f"\n{name}, horizon {plant.horizon}: {len(law)} regions\n")
        compare_with_ppopt(plant, problem, law)
        print()
        columns = (
            "samples",
            "starts",
            "seconds",
            "error at samples",
            "error found",
            "error proven",
            "seconds of proof",
        )
        print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        model, proof = train_until_proven(plant, law)
        model.save(out / "network.json")
        networks = {f"relufit, {'-'.join(map(str, model.widths))}, {model.activation}": (model, proof.bound)}
        for label, adam in trained_by_adam(plant, law, arguments.adam_seeds).items():
            bound = control.law_error(adam, control.box(-plant.domain, plant.domain), law, accuracy=0.01).bound
            networks[label] = (adam, bound)
        print()
        report(out, plant, law, networks)
        print()
        closed_loop(plant, model)


if __name__ == "__main__":
    main()
