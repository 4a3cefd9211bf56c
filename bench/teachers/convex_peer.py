"""pyscnn: the two-layer problem as a convex program with sampled activation patterns. It chooses its own width."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence

import numpy as np

from teachers.contest import Attempt, Contestant
from teachers.problems import Network, Problem


def convex_program(problem: Problem, starts: Sequence[int], limit: float) -> list[Attempt]:
    """Its augmented Lagrangian method, with the least regularization and tolerance that it copes with. It cannot be
    stopped: `limit` is not observed."""
    from scnn.activations import sample_gate_vectors
    from scnn.metrics import Metrics
    from scnn.models import ConvexReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import AL

    (start,) = starts
    wall, processor = time.perf_counter(), time.process_time()
    rows = np.vstack([problem.inputs, np.ones(problem.kind.samples)]).T
    gates = sample_gate_vectors(start, rows.shape[1], 100 if problem.kind.samples <= 30 else 200)
    convex = ConvexReLU(gates, c=len(problem.targets))
    solver = AL(convex, tol=1e-13, constraint_tol=1e-13)
    model, _ = optimize_model(
        convex, solver, Metrics(), rows, problem.targets.T, regularizer=NeuronGL1(1e-9), dtype="float64"
    )
    w1, w2 = model.get_parameters()
    network = Network(w1[:, :-1], w1[:, -1], w2, np.zeros(len(w2)))
    return [Attempt(network, time.process_time() - processor, time.perf_counter() - wall)]


def refusal(problem: Problem) -> str | None:
    if importlib.util.find_spec("scnn") is None:
        return "not installed"
    if problem.kind.relu_output:
        return "outputs are always linear"
    if problem.kind.fixed_output:
        return "output weights cannot be fixed"
    return "more than a minute a problem" if problem.kind.samples > 100 else None


CONTESTANT = Contestant(
    "pyscnn, convex program, other width", convex_program, refuses=refusal, most_problems=2, exact_width=False
)
