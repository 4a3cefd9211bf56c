"""Labels of any kind as classes, written the way the library and its files write them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._core import Classification, class_indices, find_classes

CLASS_LOSSES = ("cross-entropy", "logistic", "hinge")


def label_texts(labels: ArrayLike, name: str = "targets", expected: str = "a label") -> list[str]:
    """Labels (samples,) or (samples, 1), numbers or anything that str() tells apart, as text. `name` and what is
    `expected` are for messages."""
    # Of lists NumPy would make one kind: texts of numbers, or doubles of whole numbers that these cannot tell apart.
    array = np.asarray(labels, dtype=object if isinstance(labels, (list, tuple)) else None)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name}: {array.ndim} dimensions, expected 1, a label for each sample")
    values = [value.item() if isinstance(value, np.generic) else value for value in array.tolist()]
    for position, value in enumerate(values):
        missing = value is None or (isinstance(value, numbers.Real) and math.isnan(value))
        if missing or str(value) in ("<NA>", "NaT"):  # of pandas
            raise ValueError(f"{name}: {value} at sample {position + 1}, expected {expected}")
    return [str(value) for value in values]


def classes_of(
    labels: ArrayLike, classes: Sequence[Any] | None, label: str, loss: str
) -> tuple[Classification, list[int]]:
    """The classification of labels (samples,) for a loss, and the position of every sample's class.

    `classes` names the classes in the order of the outputs; by default those among the labels, sorted as by `relufit
    train`. ValueError for fewer than 2 classes, a class twice, labels that are none of them.
    """
    texts = label_texts(labels)
    if classes is None:
        found = find_classes(label, texts, loss)
        return found, class_indices(found, texts).tolist()
    named = label_texts(classes, "classes")
    found = find_classes(label, named, loss)
    order = class_indices(found, named)
    repeated = [name for position, name in enumerate(named) if order[position] in order[:position]]
    if repeated:
        raise ValueError(f"classes: {repeated[0]!r} is repeated, expected different classes")
    classification = Classification(label, [found.classes[position] for position in order], found.link)
    positions = class_indices(classification, texts).tolist()
    if -1 in positions:
        sample = positions.index(-1)
        raise ValueError(f"targets: {texts[sample]!r} at sample {sample + 1}, expected one of the given classes")
    return classification, positions


def class_names(classes: np.ndarray) -> list[str]:
    """Names under which the library tells classes apart, in their order: as text, or quoted where texts are alike to it
    ("1" and "1.0", or with blanks around)."""
    texts = label_texts(classes, "classes")
    try:
        found = find_classes("class", texts, "cross-entropy")
        if len(found.classes) == len(texts):
            return texts
    except ValueError:
        pass  # an empty one
    return [repr(text) for text in texts]
