"""From the outputs of a graph, as functions of its inputs (values.py), back to the layers of a Model."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import Classification, Model
from .shared import CATEGORIES, CLASSES, NAMES
from .values import Affine, Array, Inputs, Labels, Probabilities, ProbabilityMaps, Seen, Units

Activation = tuple[str, "float | None"]


def model_of(outputs: list[Any], metadata: dict[str, Any]) -> Model:
    """The model whose predictions, probabilities and labels are the outputs; None stands for an output not known."""
    scores, classification = _ends(outputs, metadata.get(CLASSES))
    chain, output_activation = _chain(scores)
    activations = {_activation(_units(value)) for value in chain[1:]} or {("relu", None)}
    if len(activations) > 1:
        kinds = ", ".join(sorted(name for name, _ in activations))
        raise ValueError(f"activations of hidden layers: {kinds}, expected the same after all of them")
    ((activation, parameter),) = activations
    inputs, center = chain[0].base, _center(chain)
    skips = any(isinstance(value.base, Seen) for value in chain)
    return Model(
        [_layer(value, center, skips) for value in chain],
        output_activation,
        None if center is None else (center, np.ones(inputs.size)),
        input_names=metadata.get(NAMES[0]),
        target_names=metadata.get(NAMES[1]),
        classification=classification,
        activation=activation,
        activation_parameter=parameter,
        skip_connections=skips,
        categories=metadata.get(CATEGORIES),
    )


def _chain(output: Affine) -> tuple[list[Affine], str]:
    """The affine maps from the first layer to the last, and the activation of the outputs."""
    relu = output.is_base() and isinstance(output.base, Units) and _activation(output.base) == ("relu", None)
    chain = [output.base.argument if relu and isinstance(output.base, Units) else output]
    while not isinstance(chain[-1].base, Inputs):
        chain.append(_units(chain[-1]).argument)
    return chain[::-1], "relu" if relu else "linear"


def _units(value: Affine) -> Units:
    units = value.base.units if isinstance(value.base, Seen) else value.base
    assert isinstance(units, Units)
    return units


def _activation(units: Units) -> Activation:
    if units.activation != "clamp":
        return units.activation, units.parameter
    least, most = units.parameter
    if least == 0 < most:
        return ("relu", None) if most == np.inf else ("clipped-relu", most)
    if (least, most) == (-1, 1):
        return "hard-tanh", None
    raise ValueError(f"values kept between {least} and {most}, expected bounds 0 and above, or -1 and 1")


def _center(chain: list[Affine]) -> Array | None:
    """The offset of the inputs for all layers that see them."""
    offsets = [value.center[-chain[0].base.size :] for value in chain if value.center is not None]
    return next((offset for offset in offsets if offset.any()), None)


def _layer(value: Affine, center: Array | None, skips: bool) -> tuple[Array, Array]:
    """Weights and bias for inputs without their offset, which layers after the first may see, too."""
    if isinstance(value.base, Seen) and center is not None:
        value = value.recentered(np.pad(center, (value.base.units.size, 0)))
    elif not isinstance(value.base, Units):
        value = value.recentered(center)
    weights = value.matrix()
    if skips and isinstance(value.base, Units):
        weights = np.pad(weights, ((0, 0), (0, _inputs(value).size)))
    return weights, value.bias


def _inputs(value: Affine) -> Inputs:
    while not isinstance(value.base, Inputs):
        value = _units(value).argument
    return value.base


# ---- Classes


def _ends(outputs: list[Any], written: Any) -> tuple[Affine, Classification | None]:
    """Scores, and what they mean. `written` is the classification of the metadata."""
    kinds = (Affine, Probabilities, ProbabilityMaps, Labels)
    found = {kind: [output for output in outputs if isinstance(output, kind)] for kind in kinds}
    if sum(map(len, found.values())) < len(outputs) or any(len(values) > 1 for values in found.values()):
        raise ValueError(
            f"{len(outputs)} outputs, expected the values of a network (samples, outputs), or of a classification at "
            "most one each of scores, probabilities and labels"
        )
    scores, probabilities, maps, labels = (next(iter(found[kind]), None) for kind in kinds)
    if len(outputs) == 1 and scores is not None:
        return scores, None if written is None else _written(written)
    if maps is not None:
        probabilities = maps.probabilities if probabilities is None else probabilities
    names = _names(labels, maps)
    of_classes = [value.scores for value in (labels, probabilities, maps and maps.probabilities) if value is not None]
    if any(value is not of_classes[0] for value in of_classes):
        raise ValueError("outputs: labels and probabilities of different scores, expected the same")
    if probabilities is not None and probabilities.column is not None:
        raise ValueError("outputs: the probability of one class, expected those of all")
    scores, link = _linked(scores, of_classes[0], probabilities is not None)
    label = "class" if written is None else _written(written).label
    classification = Classification(label, names, link)
    if written is not None and classification != _written(written):
        raise ValueError(f"metadata {CLASSES}: {written}, expected what the graph computes, {classification}")
    return scores, classification


def _written(classification: Any) -> Classification:
    try:
        return Classification(**classification)
    except TypeError:
        raise ValueError(f"metadata {CLASSES}: {classification!r}, expected label, classes and link") from None


def _names(labels: Labels | None, maps: ProbabilityMaps | None) -> list[str]:
    if labels is None:
        raise ValueError("outputs: none has the labels of the classes, expected one")
    if labels.shape != "list":
        raise ValueError("outputs: labels of two dimensions, expected one, (samples,)")
    found = np.arange(labels.scores.size) if labels.names is None else labels.names
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in found.tolist()]
    if maps is not None and maps.names != names:
        raise ValueError(f"outputs: labels {', '.join(names)} and maps of {', '.join(maps.names)}, expected the same")
    return names


def _linked(given: Affine | None, of_classes: Affine, have_probabilities: bool) -> tuple[Affine, str]:
    """The scores that the network is to have, and their link: of two classes, the first of which has the score 0, one.

    `given` are the scores among the outputs of the graph.
    """
    second = _second(of_classes)
    if second is not None and (given is None or _equal(given, second)):
        return second if given is None else given, "logistic" if have_probabilities else "none"
    if given is not None and given is not of_classes:
        raise ValueError("outputs: labels of other values than the scores, expected the largest score")
    return of_classes, "softmax" if have_probabilities or of_classes.size == 2 else "none"


def _second(scores: Affine) -> Affine | None:
    """The second of two scores where the first is 0."""
    weights = scores.matrix()
    if scores.size != 2 or weights[0].any() or scores.bias[0]:
        return None
    return Affine(scores.base, weights[1:], scores.bias[1:], scores.center)


def _equal(a: Affine, b: Affine) -> bool:
    same_center = a.center is b.center or (a.center is not None and np.array_equal(a.center, b.center))
    same = np.array_equal(a.matrix(), b.matrix()) and np.array_equal(a.bias, b.bias)
    return a.base is b.base and same_center and same
