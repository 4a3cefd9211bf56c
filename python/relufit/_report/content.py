"""What the page shows: tables and charts, from the facts."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from .._core import Model, evaluate
from ..plot import TRACE_CURVES, fit_label
from .charts import SERIES, Curve, chart
from .facts import Facts, Samples

_MOST_CHARTS = 24  # of responses
_MOST_TARGETS = 12  # with a chart of their own
_MOST_DOTS = 800  # of a set of samples
_STEPS = 101  # of a response
_FEW = 10  # values of an input, or records, are drawn one by one

# How a constraint of each kind is proven, by the beginning of its name: where it holds, and the inequality whose slack is
# told. Weights are those of the network for raw data; docs/constraints.md has the whole.
PROOFS = {
    "weights": ("everywhere", "lower ≤ w ≤ upper for each of the weights"),
    "linear": ("everywhere", "least ≤ the sum of weights, each times its factor ≤ most"),
    "monotone": (
        "everywhere, whatever the other inputs",
        "s w s′ ≥ 0 for every weight w on a path from the input to the target, from what has the sign s to what has s′: "
        "the input's is the direction, the target's +, each unit has one. Activations do not fall, so no path does",
    ),
    "curvature": (
        "everywhere, in these inputs jointly, whatever the others",
        "w ≥ 0 for every weight behind the first layer on a path from the inputs to the target (−w in the last layer "
        "where it is concave): sums of convex functions",
    ),
    "norms": ("everywhere", "norm of the weights ≤ its bound"),
    "lipschitz": ("everywhere", ""),
    "convex": ("everywhere", "w ≥ 0 for every weight behind the first layer, but of inputs that skip to it"),
    "outputs": ("at the points named alone", "lower ≤ value ≤ upper at each of them"),
    "hidden": ("at the training samples alone", "|value| ≤ bound for every unit"),
}


def probabilities(model: Model) -> bool:
    return model.classification is not None and model.classification.link != "none"


def _responses(model: Model, inputs: np.ndarray) -> np.ndarray:
    """What is drawn of every output: probabilities where there are some."""
    return model.predict_proba(inputs) if probabilities(model) else model.predict(inputs)


def response_names(model: Model) -> list[str]:
    return list(model.classification.classes) if probabilities(model) else list(model.target_names)


def overview(facts: Facts) -> list[tuple[str, str]]:
    model, record = facts.model, facts.model.training
    layers = " - ".join(map(str, model.widths))
    loss = record.loss + (f" ({record.loss_parameter:g})" if record.loss_parameter else "")
    rows = [("Network", f"{layers} ({model.activation}{', skip connections' if model.skip_connections else ''})")]
    if record.loss:  # networks put together of several trainings have no record of one
        rows += [
            ("Loss", loss),
            ("Trained by", f"{record.strategy}, {record.status} after {record.iterations} iterations"),
            ("Time", f"{record.seconds:.2f} s"),
            ("Seed", str(record.seed)),
        ]
    if record.ridge is not None:
        rows.append(("Ridge", f"{record.ridge:.4g} per target value" + (", chosen" if facts.ridge else "")))
    if facts.widths and len(facts.widths["widths"]):
        rows.append(
            ("Hidden units", f"{facts.widths['chosen']}, chosen of {', '.join(map(str, facts.widths['widths']))}")
        )
    if facts.grid:
        steps = ", ".join(f"{facts.grid[name]:.4g} {name}" for name in ("before", "rounded", "repaired"))
        rows.append(("Weights", f"multiples of {facts.grid['step']:g}; mean loss {steps}"))
    return rows


def input_rows(facts: Facts) -> list[tuple[str, list[float]]]:
    """Of every input: least, median, largest value of the training data."""
    inputs = facts.samples[0].inputs
    values = np.column_stack([inputs.min(axis=0), np.median(inputs, axis=0), inputs.max(axis=0)])
    return list(zip(facts.model.input_names, values.tolist()))


def measure_table(facts: Facts) -> dict[str, Any]:
    """Columns and rows: a row for every target (or all classes) and set of samples."""
    rows = _class_measures(facts) if facts.model.classification else _measures(facts)
    return {"columns": list(rows[0][2]), "rows": rows}


def _measures(facts: Facts) -> list[tuple[str, str, dict[str, float]]]:
    rows = []
    for samples in facts.samples:
        predictions = facts.model.predict(samples.inputs)
        evaluation = evaluate(predictions, np.ascontiguousarray(samples.targets))
        for number, name in enumerate(facts.model.target_names):
            fit = evaluation.per_target[number]
            measures = {
                "R2": fit.r2,
                "RMSE": fit.mean_squared_error**0.5,
                "relative residual": fit.relative_residual,
                "largest error": fit.largest_error,
            }
            if facts.quantiles:
                measures["share below prediction"] = float(
                    (samples.targets[:, number] <= predictions[:, number]).mean()
                )
            rows.append((samples.name, name, measures))
    return rows


def _class_measures(facts: Facts) -> list[tuple[str, str, dict[str, float]]]:
    rows = []
    for samples in facts.samples:
        counts = confusion(facts.model, samples)
        measures = {"accuracy": float(np.trace(counts) / counts.sum())}
        if probabilities(facts.model):
            true = facts.model.predict_proba(samples.inputs)[np.arange(len(samples.targets)), samples.targets]
            with np.errstate(divide="ignore"):
                measures["log loss"] = float(-np.log(true).mean())
        rows.append((samples.name, facts.model.classification.label, measures))
    return rows


def confusion(model: Model, samples: Samples) -> np.ndarray:
    """Samples of the true class (row) that were given a class (column)."""
    positions = {name: position for position, name in enumerate(model.classification.classes)}
    given = [positions[name] for name in model.predict_labels(samples.inputs).tolist()]
    counts = np.zeros((len(positions), len(positions)), dtype=int)
    np.add.at(counts, (samples.targets, given), 1)
    return counts


def trace_charts(facts: Facts) -> list[Markup]:
    """Violations and merit, over iterations and over time; none where nothing was recorded."""
    if not facts.trace:
        return []
    label = {**TRACE_CURVES, "fit": fit_label([facts.model])}
    charts = []
    for against, x_label in (("iteration", "outer iteration"), ("seconds", "seconds")):
        x = np.asarray(facts.trace[against], dtype=float)
        curves = []
        for series, name in enumerate(("fit", "pair", "product", "merit", "objective")):
            values = np.asarray(facts.trace[name], dtype=float)
            shown = np.isfinite(values) & (values > 0)
            if shown.any():
                curves.append(Curve(x[shown], values[shown], series, label[name], dots=shown.sum() <= _FEW,
                                    dashed=name == "objective"))  # fmt: skip
        if curves:
            title = "Over iterations" if against == "iteration" else "Over time"
            charts.append(chart(title, curves, x_label=x_label, x_range=[0], y_label="scaled units", log_y=True))
    return charts


def _some(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_DOTS)).astype(int))


def scatter_charts(facts: Facts) -> list[Markup]:
    """Predictions against targets, one chart per target."""
    charts = []
    for number, name in enumerate(facts.model.target_names[:_MOST_TARGETS]):
        curves = []
        for series, samples in enumerate(facts.samples):
            rows = _some(len(samples.inputs))
            predictions = facts.model.predict(samples.inputs[rows])[:, number]
            curves.append(
                Curve(samples.targets[rows, number], predictions, series, samples.name, line=False, dots=True)
            )
        charts.append(chart(name, curves, x_label="true", y_label="predicted", diagonal=True))
    return charts


def ridge_chart(facts: Facts) -> Markup | None:
    if not facts.ridge:
        return None
    ridges, held_out, error = (
        np.asarray(facts.ridge[k], dtype=float) for k in ("ridges", "held_out", "standard_error")
    )
    curve = Curve(ridges, held_out, dots=True, error=error)
    return chart("Loss of held-out samples", [curve], x_label="ridge", y_label="mean loss, scaled units", log_x=True,
                 vertical=float(facts.ridge["chosen"]))  # fmt: skip


def width_chart(facts: Facts) -> Markup | None:
    if not facts.widths or len(facts.widths["widths"]) < 2:
        return None
    widths, held_out = (np.asarray(facts.widths[name], dtype=float) for name in ("widths", "held_out"))
    return chart("Loss of held-out samples", [Curve(widths, held_out, dots=True)], x_label="hidden units",
                 y_label="mean loss, scaled units", vertical=float(facts.widths["chosen"]))  # fmt: skip


def _response(model: Model, inputs: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of an input, and responses (values, outputs) with the other inputs at their medians."""
    found = np.unique(inputs[:, column])
    values = found if len(found) <= _FEW else np.linspace(found[0], found[-1], _STEPS)
    points = np.repeat(np.median(inputs, axis=0)[np.newaxis], len(values), axis=0)
    points[:, column] = values
    return values, _responses(model, points)


def response_charts(facts: Facts) -> dict[str, Any]:
    """Of the inputs that move an output most, relative to how much the outputs vary; `others` are the rest.

    Classes and quantiles stand in one chart, other targets, which have units of their own, in charts of their own.
    """
    model, inputs = facts.model, facts.samples[0].inputs
    names = response_names(model)
    together = model.classification is not None or facts.quantiles
    responses = [_response(model, inputs, column) for column in range(inputs.shape[1])]
    spread = _responses(model, inputs[_some(len(inputs))]).std(axis=0)
    moves = np.array([np.ptp(values, axis=0) for _, values in responses])  # inputs x outputs
    shares = (moves / np.where(spread > 0, spread, 1.0)).max(axis=1)
    groups = [list(range(len(names)))] if together else [[k] for k in range(min(len(names), _MOST_TARGETS))]
    order = np.argsort(-shares, kind="stable")
    count = max(1, _MOST_CHARTS // len(groups))
    charts = []
    for column in order[:count].tolist():
        x, values = responses[column]
        few = len(x) <= _FEW
        rug = np.quantile(inputs[:, column], np.linspace(0, 1, 11))
        for group in groups:
            shown = sorted(sorted(group, key=lambda k: -moves[column, k])[:SERIES])
            curves = [
                Curve(x, values[:, k], series, names[k] if together else "", dots=few) for series, k in enumerate(shown)
            ]
            label = ("probability" if probabilities(model) else "output") if together else names[group[0]]
            charts.append(chart(model.input_names[column], curves, x_label=model.input_names[column], y_label=label,
                                y_range=(0, 1) if probabilities(model) else (), rug=rug))  # fmt: skip
    others = [(model.input_names[column], float(moves[column].max())) for column in order[count:].tolist()]
    return {"charts": charts, "others": others}


def _norms_of_layers(model: Model) -> str:
    """The inequality behind a Lipschitz bound, with its numbers."""
    norms = [np.linalg.norm(weights, 2) for weights, _ in model.folded().layers]
    numbers = ", ".join(f"{norm:.4g}" for norm in norms)
    if model.skip_connections:
        return f"L₁ = r₁, Lₗ ≤ rₗ √(Lₗ₋₁² + 1) ≤ bound, r the layers' largest singular values: {numbers}"
    return f"product of the layers' largest singular values ({' · '.join(numbers.split(', '))}) ≤ bound"


def constraint_rows(facts: Facts) -> list[tuple[str, float, bool, str, str]]:
    """Name, slack, whether it holds, where, and by which inequality that is known."""
    rows = []
    for name, slack, holds in facts.constraints:
        kind = name.split(":")[0].split("[")[0]
        where, inequality = PROOFS[kind]
        if kind == "monotone" and facts.model.classification:
            inequality += ". In the last layer w are differences between the class's weights and those of every other"
        rows.append((name, slack, holds, where, inequality or _norms_of_layers(facts.model)))
    return rows
