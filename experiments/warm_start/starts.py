"""Where descents begin, and what that costs in processor seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import relufit
from teachers.models import Model
from teachers.problems import Network

from warm_start.tasks import Task

KAIMING = ("torch", "he")
RELAXATION = ("relaxation 10", "relaxation 100", "relaxation 1000")
STARTS = ("kaiming", *RELAXATION, "gated")
GATES, GROUP_LASSO, GATED_ITERATIONS = 50, 0.01, 1000


@dataclass(frozen=True)
class Start:
    network: Network
    seconds: float  # processor time
    status: str = ""


def refusal(task: Task, start: str) -> str | None:
    """Why this start is not for this task."""
    if start == "relaxation 1000" and task.name == "digits":
        return "takes a minute, against a budget of 8 s"
    if start != "gated":
        return None
    if task.relu_output:
        return "outputs are always linear"
    if task.fixed_output:
        return "output weights cannot be fixed"
    return "squared loss only" if task.loss == "cross-entropy" else None


def make_start(task: Task, start: str, number: int, variant: str = "torch") -> Start:
    """Start `number` of this kind; number 0 is the first, others are for restarts. `variant`: of Kaiming's rule."""
    begin = time.process_time()
    status = ""
    if start == "kaiming":
        network = kaiming(task, number, variant)
    elif start == "gated":
        network = gated(task, number)
    else:
        model, status = relaxation(task, number, int(start.split()[1]))
        network = network_of(model, task)
    return Start(network, time.process_time() - begin, status)


def kaiming(task: Task, number: int, variant: str = "torch") -> Network:
    """`torch`: what torch.nn.Linear does, Kaiming's uniform rule with a = sqrt(5), that is uniform in
    +-1/sqrt(incoming weights), biases too; with fixed output weights randn / sqrt(k). `he`: Kaiming's normal rule,
    deviation sqrt(2 / incoming weights) below the ReLUs and sqrt(1 / incoming weights) of the outputs, biases 0."""
    n0, n1, n2 = task.widths
    # The last number sets it apart from default_rng(seed), which draws the problem: [seed, 0] would be the same stream.
    rng = np.random.default_rng([task.seed, number, 1])
    if variant == "he":
        w1 = rng.standard_normal((n1, n0)) * np.sqrt(2 / n0)
        w2 = np.ones((1, n1)) if task.fixed_output else rng.standard_normal((n2, n1)) / np.sqrt(n1)
        return Network(w1, np.zeros(n1), w2, np.zeros(n2))
    if task.problem is not None:
        model = Model(task.problem)
        return model.network(model.start(rng))
    first, second = 1 / np.sqrt(n0), 1 / np.sqrt(n1)
    return Network(
        rng.uniform(-first, first, (n1, n0)), rng.uniform(-first, first, n1),
        rng.uniform(-second, second, (n2, n1)), rng.uniform(-second, second, n2),
    )  # fmt: skip


def relaxation(task: Task, number: int, iterations: int) -> tuple[relufit.Model, str]:
    """Sequential convex relaxation with its defaults, unpolished. A to F: exact loss; F: output weights held at one by
    constraints, no biases. Data sets: the squared loss or cross-entropy, with the ridge that all arms have."""
    options = {}
    if task.loss == "fit":
        options = {"loss": "exact", "output_activation": "relu" if task.relu_output else "linear"}
    elif task.loss == "cross-entropy":
        options = {"loss": "cross-entropy"}
    if task.fixed_output:
        options |= {"bias": False, "constraints": {"weights": [{"layer": 2, "value": 1}]}}
    result = relufit.train(
        task.inputs.T, task.targets.T, [task.widths[1]], method="relaxation", polish=False, iterations=iterations,
        seed=1000 * task.seed + number, **options,
    )  # fmt: skip
    return result.model, result.status


def network_of(model: relufit.Model, task: Task) -> Network:
    """The network for the data as they are, scalings folded in. With fixed output weights, which are one but for
    rounding, that rounding is moved into the hidden layer."""
    (w1, b1), (w2, b2) = ((np.array(weights), np.array(bias)) for weights, bias in model.folded().layers)
    if task.fixed_output:
        return Network(w1 * w2.T, np.zeros(len(w1)), np.ones_like(w2), np.zeros(1))
    return Network(w1, b1, w2, b2)


def gated(task: Task, number: int) -> Network:
    """The convex program of gated ReLU units (pyscnn), brought to the width asked for.

    Its solution has as many units as it likes, each with a gate g and weights v: outputs sum 1(g'x > 0) v'x. The ReLU
    unit of v, or of -v with the opposite sign, whichever is closer to the gated one on the data, takes its place. The
    units with the largest norm on the data are kept, Kaiming's fill up where they are too few, and the output layer is
    refitted by least squares."""
    from scnn.activations import sample_gate_vectors
    from scnn.metrics import Metrics
    from scnn.models import ConvexGatedReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import RFISTA

    seed = 1000000 + 1000 * task.seed + number  # no seed of a problem
    rows, targets = np.vstack([task.inputs, np.ones(task.inputs.shape[1])]).T, task.targets.T
    model = ConvexGatedReLU(sample_gate_vectors(seed, rows.shape[1], GATES), c=targets.shape[1])
    solver = RFISTA(model, max_iters=GATED_ITERATIONS)
    model, _ = optimize_model(
        model, solver, Metrics(), rows, targets, regularizer=NeuronGL1(GROUP_LASSO), dtype="float64"
    )
    hidden, output = model.get_parameters()
    before = rows @ hidden.T
    outputs = (rows @ model.G > 0) * before
    positive = np.linalg.norm(outputs - np.maximum(before, 0), axis=0)
    negative = np.linalg.norm(outputs - np.minimum(before, 0), axis=0)
    hidden = hidden * np.where(positive <= negative, 1, -1)[:, None]
    size = np.linalg.norm(outputs, axis=0) * np.linalg.norm(output, axis=0)
    hidden = hidden[np.argsort(-size)[: task.widths[1]]]
    spare = kaiming(task, number)
    hidden = np.vstack([hidden, np.column_stack([spare.w1, spare.b1])[len(hidden) :]])
    return refitted(hidden, rows, targets)


def refitted(hidden: np.ndarray, rows: np.ndarray, targets: np.ndarray) -> Network:
    """Output layer by least squares; then incoming and outgoing weights of every unit have equal norms."""
    active = np.column_stack([np.maximum(rows @ hidden.T, 0), np.ones(len(rows))])
    solution = np.linalg.lstsq(active, targets, rcond=1e-6)[0].T
    w2, b2 = solution[:, :-1], solution[:, -1]
    incoming, outgoing = np.linalg.norm(hidden, axis=1), np.linalg.norm(w2, axis=0)
    usable = (incoming > 0) & (outgoing > 0)
    factor = np.sqrt(np.where(usable, outgoing, 1) / np.where(usable, incoming, 1))
    hidden = hidden * factor[:, None]
    return Network(hidden[:, :-1], hidden[:, -1], w2 / factor, b2)
