"""Networks as scikit-learn's own multilayer perceptrons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import LabelBinarizer

from ._core import Model


def to_sklearn(
    model: Model, classes: ArrayLike | None = None, feature_names: ArrayLike | None = None
) -> MLPRegressor | MLPClassifier:
    """The network on raw data (scalings folded in) as a fitted MLPRegressor, or of a classification MLPClassifier,
    whose predictions are those of the network but for rounding.

    `classes` (classes,) are the classes in the order of the model's, which are their names, by default those names.
    `feature_names`, where given, are the names of columns that scikit-learn then expects of frames. ValueError for what
    these estimators do not have: activations but "relu", skip connections, ReLU outputs, the hinge loss.
    """
    _check(model)
    layers = [(np.array(weights), np.array(bias)) for weights, bias in model.folded().layers]
    sizes = tuple(len(bias) for _, bias in layers[:-1])
    if model.classification is None:
        found: MLPRegressor | MLPClassifier = MLPRegressor(sizes, activation="relu")
        output = "identity"
    else:
        found = MLPClassifier(sizes, activation="relu")
        names = model.classification.classes
        found.classes_ = np.array(names if classes is None else classes)
        if len(found.classes_) != len(names):
            raise ValueError(f"classes: {len(found.classes_)}, expected {len(names)}")
        if not np.array_equal(found.classes_, np.unique(found.classes_)):
            raise ValueError("classes: not sorted, as scikit-learn has them")
        found._label_binarizer = LabelBinarizer().fit(found.classes_)
        weights, bias = layers[-1]
        if len(bias) == 2:  # of two classes it has one score, the difference
            layers[-1] = (weights[1:] - weights[:1], bias[1:] - bias[:1])
        output = "softmax" if len(bias) > 2 else "logistic"
    found.coefs_ = [np.ascontiguousarray(weights.T) for weights, _ in layers]
    found.intercepts_ = [bias for _, bias in layers]
    found.out_activation_ = output
    found.n_layers_, found.n_outputs_ = len(layers) + 1, len(layers[-1][1])
    found.n_features_in_ = model.widths[0]
    if feature_names is not None:
        found.feature_names_in_ = np.array(feature_names, dtype=object)
    found.n_iter_, found.t_ = model.training.iterations, 0
    found.loss_ = found.best_loss_ = np.nan
    found.loss_curve_ = []
    return found


def _check(model: Model) -> None:
    refused: list[tuple[Any, str]] = [
        (model.activation != "relu" and len(model.widths) > 2, f"the activation {model.activation!r}"),
        (model.skip_connections, "skip connections"),
        (model.output_activation != "linear", "ReLU outputs"),
        (model.classification is not None and model.classification.link == "none", "the hinge loss"),
    ]
    for found, what in refused:
        if found:
            raise ValueError(f"model: with {what}, which scikit-learn's multilayer perceptrons do not have")
