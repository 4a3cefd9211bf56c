"""The best operating point of a process that a network has learnt, under constraints, and the proof that there is none
better.

    python examples/optimize/optimize.py      # needs numpy, onnx, omlt, pyomo and highspy

Trains a network on noisy measurements, exports it with the bounds of its inputs, and maximizes its output under linear
constraints by a mixed-integer program. README.md beside this file explains the steps.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import time
from pathlib import Path

import numpy as np
import pyomo.environ as pyo
from omlt import OmltBlock
from omlt.io.onnx import load_onnx_neural_network_with_bounds
from omlt.neuralnet import ReluBigMFormulation
from relufit import ReluRegressor

logging.getLogger("pyomo").setLevel(logging.ERROR)  # OMLT's first values are outside the bounds
ROOT = Path(__file__).resolve().parents[2]
NAMES = ["temperature", "time", "catalyst"]  # degrees Celsius, hours, per cent
BOX = np.array([(60.0, 120.0), (1.0, 8.0), (0.5, 4.0)])
COSTS, BUDGET = np.array([0.05, 0.8, 1.5]), 11.0  # per unit and batch
LONGEST = 7.0  # hours
STEPS = 61


def measured_yield(points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Per cent: conversion that rises with all three, and losses by side reactions when hot for long."""
    temperature, hours, catalyst = points.T
    rate = 0.12 * np.sqrt(catalyst) * np.exp((temperature - 90) / 22)
    side = 0.022 * np.exp((temperature - 90) / 11)
    return 100 * (1 - np.exp(-rate * hours)) * np.exp(-side * hours) + generator.standard_normal(len(points))


def maximum(file: Path) -> tuple[float, np.ndarray, float]:
    """The largest output over the box, within budget and time; where it is; and what no output is proven to exceed."""
    network = load_onnx_neural_network_with_bounds(str(file))
    problem = pyo.ConcreteModel()
    problem.network = OmltBlock()
    problem.network.build_formulation(ReluBigMFormulation(network))
    inputs = [problem.network.inputs[i] for i in range(len(NAMES))]
    problem.budget = pyo.Constraint(expr=sum(c * x for c, x in zip(COSTS, inputs)) <= BUDGET)
    problem.longest = pyo.Constraint(expr=inputs[1] <= LONGEST)
    problem.value = pyo.Objective(expr=problem.network.outputs[0], sense=pyo.maximize)
    solver = pyo.SolverFactory("appsi_highs")
    solver.config.mip_gap = 1e-9
    result = solver.solve(problem)
    bound = float(result.problem[0].upper_bound)
    return pyo.value(problem.value), np.array([pyo.value(x) for x in inputs]), bound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build/examples/optimize")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)

    generator = np.random.default_rng(0)
    points = generator.uniform(*BOX.T, size=(500, 3))
    yields = measured_yield(points, generator)
    fresh = generator.uniform(*BOX.T, size=(2000, 3))
    estimator = ReluRegressor((12,), random_state=0).fit(points, yields)
    print(f"held-out R2 {estimator.score(fresh, measured_yield(fresh, generator)):.4f}")

    file = folder / "yield.onnx"
    estimator.to_onnx(file, dtype="float64", bounds=BOX)
    began = time.perf_counter()
    value, best, bound = maximum(file)
    print(f"maximum {value:.4f} at", ", ".join(f"{name} {x:.3f}" for name, x in zip(NAMES, best)), end="")
    print(f"; none above {bound:.4f}, in {time.perf_counter() - began:.1f} s")
    print(f"the network there: {estimator.predict([best])[0]:.4f}; cost {COSTS @ best:.3f} of {BUDGET}")

    grid = np.array(list(itertools.product(*(np.linspace(low, high, STEPS) for low, high in BOX))))
    allowed = grid[(grid @ COSTS <= BUDGET) & (grid[:, 1] <= LONGEST)]
    print(f"largest of {len(allowed)} points of a grid: {estimator.predict(allowed).max():.4f}")


if __name__ == "__main__":
    main()
