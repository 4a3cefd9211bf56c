"""Certificates: arguments checked and brought into the library's options."""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._core import Certificate, Model, class_indices
from ._labels import label_texts


def _target_columns(model: Model, targets: ArrayLike) -> np.ndarray:
    """Targets of the loss (samples, outputs): numbers, or for two classes 1 where the label is the second."""
    if model.classification is None:
        array = np.asarray(targets)
    else:
        texts = label_texts(targets)
        array = np.asarray(class_indices(model.classification, texts), dtype=float)
        if (array < 0).any():
            sample = int(np.argmin(array))
            raise ValueError(f"targets: {texts[sample]!r} at sample {sample + 1}, expected one of the model's classes")
    return array[:, np.newaxis] if array.ndim == 1 else array


def certify(
    model: Model,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    ridge: float | None = None,
    accuracy: float = 0.01,
    time_limit: float = 30,
    tighten: float = 0,
    seed: int = 0,
    threads: int = 1,
) -> Certificate:
    """How far a model's training objective can be from the least one of any width (docs/certificates.md).

    For one hidden layer of ReLUs, linear outputs, the squared or the logistic loss, and a ridge: a lower bound on the
    objective of every network with one hidden layer, whatever its width, on these samples in the model's scaled units.
    The bound holds in spite of rounding, and whenever the search for it ends. Regularizers and constraints of training
    are left out of the objective; the bound holds with them as well. Ctrl-C ends the search; the bound so far is
    returned.

    Parameters
    ----------
    model : Model
        As `train` returns it (`TrainResult.model`, or `model_` of an estimator).
    inputs : array (samples, inputs) or frame
        Raw; those the model was trained on.
    targets : array (samples, outputs) or (samples,)
        Raw; for the logistic loss labels (samples,).
    sample_weight : array (samples,)
        Weights of the samples in the loss, finite, >= 0 and not all 0; default 1.
    ridge : float
        Per target value, > 0; default: what the model was trained with (`Model.training.ridge`).
    accuracy : float
        Of the largest unit, relative, > 0: the search for it ends there.
    time_limit : float
        Seconds for this search, >= 0; 0: none.
    tighten : float
        Seconds to add missing units to the network and train it on before, >= 0; 0: it stays as it is.
    seed : int
        Of the starts of local searches for units, 0 to 2^32 - 1.
    threads : int
        The result does not depend on them, unless time ends the search.

    Returns
    -------
    Certificate
        `lower_bound`, `objective`, `gap`, bounds of the largest unit, `status`, and the better `model` of `tighten`.

    Raises
    ------
    ValueError
        Names what does not fit: models with other layers, activations or losses, no ridge, arguments out of range.
    """
    options = _core.CertifyOptions()
    values = {"accuracy": accuracy, "time_limit": time_limit, "tighten": tighten}
    if ridge is not None:
        values["ridge"] = ridge
    for name, value in values.items():
        if not isinstance(value, numbers.Real):
            raise ValueError(f"{name}: {value!r}, expected a number")
        setattr(options, name, float(value))
    for name, number in {"seed": seed, "threads": threads}.items():
        try:
            if not isinstance(number, numbers.Integral):
                raise TypeError
            setattr(options, name, int(number))
        except (TypeError, OverflowError):
            raise ValueError(f"{name}: {number!r}, expected a whole number") from None
    return _core.certify(model, inputs, _target_columns(model, targets), sample_weight, options)
