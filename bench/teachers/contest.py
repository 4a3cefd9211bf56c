"""How every contestant is run: the same problems, the same processor time on each, and one judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from teachers.problems import PEER_RESIDUAL, Network, Problem


class Ended(Exception):
    """Raised inside a function that a library minimizes: goal reached, or time over."""


@dataclass(frozen=True)
class Attempt:
    """What one start ended with, and its cost. A batch of starts is shared out equally among them."""

    network: Network
    processor_seconds: float
    wall_seconds: float
    training_seconds: float | None = None  # relufit: wall clock of the training alone, as the program reports it
    startup_processor_seconds: float = 0  # relufit: of a process on the same files that does not train


@dataclass(frozen=True)
class Contestant:
    """`run(problem, starts, limit)` makes the starts of these numbers, which seed them, each within `limit` processor
    seconds or a little more, and returns their attempts in order. `refuses` says why a problem is not for it."""

    name: str
    run: Callable[[Problem, Sequence[int], float], list[Attempt]]
    batch: Callable[[Problem], int] = lambda problem: 1
    refuses: Callable[[Problem], str | None] = lambda problem: None
    residual: float = PEER_RESIDUAL  # on the training data, at which it has succeeded
    most_problems: int | None = None  # for what takes much longer than its budget
    exact_width: bool = True  # whether its networks have the width asked for


@dataclass(frozen=True)
class Race:
    """A contestant on one problem."""

    seed: int
    dead_outputs: int
    starts: int
    solved: int
    processor_seconds: float
    wall_seconds: float
    training_seconds: float | None
    startup_processor_seconds: float
    largest_width: int  # hidden units of its widest network


def race(contestant: Contestant, problem: Problem, budget: float, most_starts: int) -> Race:
    """Starts until `budget` processor seconds are used or `most_starts` are made; the last may go beyond the budget."""
    attempts: list[Attempt] = []
    while len(attempts) < most_starts and sum(attempt.processor_seconds for attempt in attempts) < budget:
        first = len(attempts)
        starts = range(first, min(first + contestant.batch(problem), most_starts))
        attempts += contestant.run(problem, starts, budget)
    training = [attempt.training_seconds for attempt in attempts if attempt.training_seconds is not None]
    return Race(
        seed=problem.seed,
        dead_outputs=problem.dead_outputs,
        starts=len(attempts),
        solved=sum(problem.solved_by(attempt.network, contestant.residual) for attempt in attempts),
        processor_seconds=sum(attempt.processor_seconds for attempt in attempts),
        wall_seconds=sum(attempt.wall_seconds for attempt in attempts),
        training_seconds=sum(training) if training else None,
        startup_processor_seconds=sum(attempt.startup_processor_seconds for attempt in attempts),
        largest_width=max(len(attempt.network.w1) for attempt in attempts),
    )
