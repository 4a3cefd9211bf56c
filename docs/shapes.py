"""Shape constraints, one picture each: draws docs/shape_increasing.svg and three more like it.

    python docs/shapes.py [--folder docs]

Needs the Python package relufit and matplotlib (tests/requirements.txt).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from relufit import ReluRegressor, core

HERE = Path(__file__).resolve().parent
SAMPLES, NOISE = 40, 0.15

Function = Callable[[np.ndarray], np.ndarray]

# Of each shape: names of input and target, the function behind the data on [0, 1], the constraint on y0 in x0, and the
# seed of noise that leads a free network away from the shape: most noise does not from a curvature as strong as these.
SHAPES: dict[str, tuple[str, str, Function, dict[str, str], int]] = {
    "increasing": ("dose", "effect", lambda x: 1 - np.exp(-5 * x), {"monotone": "increasing"}, 2),
    "decreasing": ("price", "demand", lambda x: 1 / (1 + (2.5 * x) ** 3), {"monotone": "decreasing"}, 4),
    "convex": ("speed", "consumption", lambda x: 3 * (x - 0.4) ** 2, {"curvature": "convex"}, 7),
    "concave": ("fertilizer", "yield", lambda x: 3 * x * (1.1 - x), {"curvature": "concave"}, 41),
}


def constraint(kind: dict[str, str]) -> dict[str, Any]:
    ((member, value),) = kind.items()
    return {member: [{"input": "x0", "target": "y0", {"monotone": "direction", "curvature": "shape"}[member]: value}]}


def draw(name: str, path: Path) -> None:
    """Data, the function behind them, and networks with and without the constraint, which has to be proven."""
    input_name, target_name, function, kind, seed = SHAPES[name]
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, SAMPLES)[:, np.newaxis]
    y = function(x[:, 0]) + NOISE * rng.normal(size=SAMPLES)
    options = {"hidden": (20,), "ridge": 1e-7, "random_state": 0}
    free = ReluRegressor(**options).fit(x, y)
    kept = ReluRegressor(**options, constraints=constraint(kind)).fit(x, y)
    assert all(check.holds for check in core.check_constraints(core.load_constraints(constraint(kind)), kept.model_))
    grid = np.linspace(0, 1, 501)
    figure, axes = plt.subplots(figsize=(4.6, 3), layout="constrained")
    axes.plot(x[:, 0], y, ".", color="0.65", label="data")
    axes.plot(grid, function(grid), ":", color="0.4", label="behind the data")
    axes.plot(grid, free.predict(grid[:, np.newaxis]), color="C1", linewidth=1.1, label="free network")
    axes.plot(grid, kept.predict(grid[:, np.newaxis]), color="C0", linewidth=1.8, label=f"{name} network")
    axes.set(xlabel=input_name, ylabel=target_name, xticks=[], yticks=[])
    axes.legend(frameon=False, fontsize=8, loc="best")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=HERE)
    folder = parser.parse_args().folder
    plt.rcParams["svg.hashsalt"] = "relufit"  # the same file every time
    for name in SHAPES:
        draw(name, folder / f"shape_{name}.svg")


if __name__ == "__main__":
    main()
