"""How every contestant is run: the same problems, the same processor time on each, one judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from teachers.contest import Ended
from teachers.peers import Minimize, Watch, cholesky

from deep.models import Model
from deep.problems import Layers, Problem


@dataclass(frozen=True)
class Outcome:
    """The best network of all starts made, and what it took."""

    layers: Layers
    fits: int | None  # local fits; None: not counted
    processor_seconds: float


@dataclass(frozen=True)
class Contestant:
    """`run(problem, limit)` makes starts until the best network is exact or `limit` processor seconds are used."""

    name: str
    run: Callable[[Problem, float], Outcome]


def race(contestant: Contestant, problem: Problem, limit: float) -> dict:
    """One contestant on one problem, as it is written to the results. Its network is judged on the raw data."""
    outcome = contestant.run(problem, limit)
    return {
        "problem": problem.kind.name,
        "seed": problem.seed,
        "contestant": contestant.name,
        "residual": problem.residual(outcome.layers),
        "fits": outcome.fits,
        "processor_seconds": round(outcome.processor_seconds, 3),
    }


def restarts(minimize_from: Minimize) -> Callable[[Problem, float], Outcome]:
    """Fits from random points, one after the other."""

    def run(problem: Problem, limit: float) -> Outcome:
        begin = time.process_time()
        model = Model(problem)
        starts, lowest, best = 0, np.inf, model.start(np.random.default_rng([problem.seed, 0]))
        while time.process_time() - begin < limit and lowest > problem.goal:
            start = model.start(np.random.default_rng([problem.seed, starts]))
            watch = Watch(problem.goal, limit - (time.process_time() - begin))
            try:
                minimize_from(model, start, watch)
            except Ended:
                pass
            starts += 1
            if watch.lowest < lowest:
                lowest, best = watch.lowest, watch.parameters
        return Outcome(model.network(best), starts, time.process_time() - begin)

    return run


# Settings of the fastest of four tried on seeds 9000 to 9003; others keep going longer where little is gained.
LEVENBERG_MARQUARDT = Contestant("Levenberg-Marquardt, NumPy", restarts(cholesky(5, 0.2)))
