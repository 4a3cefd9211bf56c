"""Linearization of a sensor in 32-bit integer arithmetic: a network with bounded weights on a grid of 2^-6.

    python examples/embedded/embedded.py [--program build/release/relufit] [--out build/examples/embedded]

Trains the inverse of a synthetic pressure sensor, with weights between -1 and 1 that are multiples of a step; exports
it to C, and evaluates it with integers alone. README.md beside this file explains the steps.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ["reading", "temperature"]
INPUT_BITS = 10  # after the binary point: a 12-bit converter for [-2, 2)
WEIGHT_BITS = 6
BOUND = 1
COARSER = (4, 3)  # other grids, for comparison
TRAIN = ("--targets", "pressure", "--hidden", "6", "--starts", "3", "--ridge", "1e-5", "--polish")


def digitize(values: np.ndarray) -> np.ndarray:
    return np.round(values * 2**INPUT_BITS) / 2**INPUT_BITS


def sensor(pressure: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """A bridge that saturates, with an offset and a sensitivity that drift with temperature."""
    saturated = np.tanh(0.9 * (pressure / 2 - 1)) / np.tanh(0.9)
    return 0.9 * saturated * (1 - 0.12 * temperature) + 0.08 * temperature + 0.03 * temperature**2


def measure(samples: int, seed: int) -> np.ndarray:
    """Rows: reading, temperature (in units of 50 K from the middle of its range), pressure (bar)."""
    random = np.random.default_rng(seed)
    pressure, temperature = random.uniform(0, 4, samples), random.uniform(-1, 1, samples)
    return np.column_stack([digitize(sensor(pressure, temperature)), digitize(temperature), pressure])


def write_csv(path: Path, columns: list[str], values: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *[[repr(float(value)) for value in row] for row in values]])


def run(*command: object) -> str:
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout


def integer_layers(model: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases times 2^WEIGHT_BITS. Scalings of a model on a grid are the identity."""
    layers = []
    for layer in model["layers"]:
        scaled = [np.array(layer[name]) * 2**WEIGHT_BITS for name in ("weights", "bias")]
        integers = [values.astype(np.int64) for values in scaled]
        assert all(np.array_equal(*pair) for pair in zip(scaled, integers)), "a weight is not on the grid"
        layers.append(tuple(integers))
    return layers


def integer_outputs(layers: list, inputs: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Products and sums of integers, nothing is rounded; the outputs' bits after the binary point; and the largest
    absolute value that any partial sum can have."""
    values, bits, largest = np.round(inputs * 2**INPUT_BITS).astype(np.int64), INPUT_BITS, 0
    bound = np.abs(values).max(axis=0)
    for index, (weights, bias) in enumerate(layers):
        values = values @ weights.T + (bias << bits)
        bound = np.abs(weights) @ bound + (np.abs(bias) << bits)
        largest = max(largest, int(bound.max()))
        bits += WEIGHT_BITS
        if index + 1 < len(layers):
            values = np.maximum(values, 0)
    return values[:, 0], bits, largest


def c_outputs(program: str, out: Path, model: Path, inputs: np.ndarray) -> np.ndarray:
    run(program, "export", model, "--c", out / "linearize.h", "--name", "linearize")
    flags = ("-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{out}")
    run("cc", *flags, Path(__file__).with_name("linearize.c"), "-o", out / "linearize")
    rows = "\n".join(",".join(repr(float(value)) for value in row) for row in inputs)
    text = subprocess.run([out / "linearize"], input=rows, check=True, capture_output=True, text=True).stdout
    return np.array(text.split(), dtype=float)


def straight_plane(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The usual correction: linear in reading and temperature."""
    columns = [np.column_stack([rows[:, :2], np.ones(len(rows))]) for rows in (train, test)]
    return columns[1] @ np.linalg.lstsq(columns[0], train[:, 2], rcond=None)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "relufit"))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "examples" / "embedded")
    arguments = parser.parse_args()
    program, out = arguments.program, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    train, test = measure(400, 0), measure(2000, 1)
    write_csv(out / "train.csv", [*INPUTS, "pressure"], train)
    write_csv(out / "test.csv", [*INPUTS, "pressure"], test)
    bounds = [{"layer": layer, "lower": -BOUND, "upper": BOUND} for layer in (1, 2)]
    (out / "constraints.json").write_text(json.dumps({"weights": bounds}, indent=2))

    print("| step | loss before | rounded | repaired | largest error, mbar | root mean square, mbar |")
    print("|---|---|---|---|---|---|")
    for bits in (WEIGHT_BITS, *COARSER):
        files = ("--constraints", out / "constraints.json", "--test", out / "test.csv")
        grid = ("--weight-grid", f"2^-{bits}", "--model", out / f"grid{bits}.json", "--json")
        summary = json.loads(run(program, "train", out / "train.csv", *TRAIN, *files, *grid))
        loss, fit = summary["weight_grid"], summary["test"]["all"]
        print(f"| 2^-{bits} | {loss['before']:.2e} | {loss['rounded']:.2e} | {loss['repaired']:.2e} "
              f"| {1000 * fit['largest_error']:.0f} | {1000 * np.sqrt(fit['mse']):.0f} |", flush=True)  # fmt: skip
    errors = straight_plane(train, test) - test[:, 2]
    print(f"linear correction: largest error {1000 * np.abs(errors).max():.0f} mbar, "
          f"root mean square {1000 * np.sqrt(np.mean(errors**2)):.0f} mbar")  # fmt: skip

    model = out / f"grid{WEIGHT_BITS}.json"
    layers = integer_layers(json.loads(model.read_text()))
    values, bits, largest = integer_outputs(layers, test[:, :2])
    differing = np.count_nonzero(c_outputs(program, out, model, test[:, :2]) != values / 2**bits)
    weights = max(int(np.abs(layer).max()) for layer, _ in layers)
    print(f"integer weights at most {weights}, sums below 2^{largest.bit_length()}, {bits} bits after the binary point")
    print(f"C in double precision and integers: {differing} of {len(test)} outputs differ")


if __name__ == "__main__":
    main()
