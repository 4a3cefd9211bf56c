"""Samples to choose by, as users give them and as the library takes them."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._core import Classification, class_indices
from ._frames import Categories, as_inputs
from ._labels import label_texts

_EXPECTED = "a fraction in (0, 1), or a tuple (inputs, targets) or (inputs, targets, sample_weight)"


def validation_of(
    validation: Any, input_names: Sequence[str], classification: Classification | None, categories: Categories
) -> Any:
    """None, a fraction, or (inputs, targets, sample_weight or None): targets are columns of numbers, or with a
    classification the positions of classes. ValueError for anything else."""
    if validation is None:
        return None
    if isinstance(validation, numbers.Real) and not isinstance(validation, bool):
        if not 0 < validation < 1:
            raise ValueError(f"validation: {validation!r}, expected {_EXPECTED}")
        return float(validation)
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        raise ValueError(f"validation: {type(validation).__name__}, expected {_EXPECTED}")
    inputs, targets, *weights = validation
    return as_inputs(inputs, input_names, categories), _targets(targets, classification), weights[0] if weights else None


def _targets(targets: Any, classification: Classification | None) -> Any:
    if classification is not None:
        texts = label_texts(targets, "validation")
        positions = class_indices(classification, texts).tolist()
        if -1 in positions:
            sample = positions.index(-1)
            raise ValueError(
                f"validation: {texts[sample]!r} at sample {sample + 1}, expected one of the classes "
                f"{', '.join(classification.classes)}"
            )
        return positions
    array = np.asarray(targets)
    if array.dtype.kind in "US":
        raise ValueError("validation: targets that are texts, expected numbers")
    return array[:, np.newaxis] if array.ndim == 1 else array
