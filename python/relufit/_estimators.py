"""Estimators for scikit-learn."""

from __future__ import annotations

import numbers
import os
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._core import Model, TrainProgress
from .core import train


def _threads(n_jobs: int | None) -> int:
    """Threads as joblib counts them: None is 1, -1 all processors, -2 all but one."""
    if n_jobs is None:
        return 1
    if not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise ValueError(f"n_jobs: {n_jobs!r}, expected None or a whole number other than 0")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(n_jobs) if n_jobs > 0 else max(1, processors + 1 + int(n_jobs))


def _seed(random_state: Any) -> int:
    """A whole number is the seed of the library itself; else one is drawn."""
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _print_progress(progress: TrainProgress) -> None:
    print(
        f"[relufit] start {progress.start}, iteration {progress.iteration}: loss {progress.loss:.4e}, "
        f"relative residual {progress.fit:.4e}, {progress.seconds:.1f} s"
    )


def _with_constants(trained: Model | None, hidden: tuple[int, ...], output_activation: str, input_names: list[str],
                    target_names: list[str], targets: np.ndarray, varying: np.ndarray) -> Model:  # fmt: skip
    """The trained model with outputs added for constant targets, which the library does not train; None: only those."""
    widths = [len(input_names), *hidden] if trained is None else trained.widths[:-1]
    layers = [(np.zeros((after, before)), np.zeros(after)) for before, after in zip(widths, widths[1:])]
    weights, bias = np.zeros((len(varying), widths[-1])), targets[0].copy()
    offset, scale = np.zeros(len(varying)), np.ones(len(varying))
    input_scaling = training = None
    if trained is not None:
        layers, input_scaling, training = trained.layers[:-1], trained.input_scaling, trained.training
        weights[varying], bias[varying] = trained.layers[-1]
        offset[varying], scale[varying] = trained.target_scaling
    layers = [*layers, (weights, bias)]
    return Model(layers, output_activation, input_scaling, (offset, scale), input_names, target_names, training)


class _ReluEstimator(BaseEstimator):
    """What both estimators share: parameters and fitting of targets (samples, outputs)."""

    def __init__(
        self,
        hidden=(10,),
        *,
        loss="squared",
        ridge=None,
        lasso=0,
        group_lasso=0,
        constraints=None,
        method="auto",
        polish=None,
        starts=1,
        max_iter=None,
        tol=None,
        time_limit=0,
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.hidden = hidden
        self.loss = loss
        self.ridge = ridge
        self.lasso = lasso
        self.group_lasso = group_lasso
        self.constraints = constraints
        self.method = method
        self.polish = polish
        self.starts = starts
        self.max_iter = max_iter
        self.tol = tol
        self.time_limit = time_limit
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _train(self, X: np.ndarray, targets: np.ndarray, target_names: list[str], output_activation: str) -> None:
        hidden = tuple(np.atleast_1d(self.hidden).tolist())
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])])
        names = [str(name) for name in names]
        varying = np.ptp(targets, axis=0) > 0
        self.n_iter_, self.status_, self.trace_, trained = 1, "converged", {}, None
        if varying.any():
            result = train(
                X,
                targets[:, varying],
                hidden,
                loss=self.loss,
                output_activation=output_activation,
                method=self.method,
                polish=self.polish,
                ridge=self.ridge,
                lasso=self.lasso,
                group_lasso=self.group_lasso,
                constraints=self.constraints,
                seed=_seed(self.random_state),
                starts=self.starts,
                iterations=self.max_iter,
                tolerance=self.tol,
                time_limit=self.time_limit,
                threads=_threads(self.n_jobs),
                input_names=names,
                target_names=[name for name, kept in zip(target_names, varying) if kept],
                callback=_print_progress if self.verbose else None,
            )
            trained, self.status_, self.trace_ = result.model, result.status, result.trace
            self.n_iter_ = int(self.trace_["iteration"][-1])
        if trained is None or not varying.all():
            trained = _with_constants(trained, hidden, output_activation, names, target_names, targets, varying)
        self.model_ = trained
        self._warn()

    def _warn(self) -> None:
        if self.status_ == "interrupted":
            warnings.warn(
                "Training was interrupted: the best network so far is kept.", ConvergenceWarning, stacklevel=4
            )
        elif self.loss == "exact" and self.status_ != "converged":
            residual = self.model_.training.relative_residual
            warnings.warn(
                f"No exact fit was found ({self.status_}, relative residual {residual:.1e}): more starts, more "
                "iterations or more hidden units may help.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        return self.model_.predict(X)


_SHARED = {
    "parameters": """hidden : tuple of int, default=(10,)
        Units of the hidden layers, at least one layer.
    ridge : float, default=None
        Penalty on squared weights per target value, >= 0. None: 0.001, with the exact loss 0.
    lasso, group_lasso : float, default=0
        Penalties on the sizes of weights, and on the norms of the hidden units' input weights, likewise: they set
        weights to 0, and remove units.
    constraints : mapping or path of a file, default=None
        Hard constraints on the network for raw data, such as monotonicity in a feature: docs/constraints.md. Features
        without names are x0, x1, ...; targets y0, y1, ...
    method : {"auto", "relaxation", "search"}, default="auto"
        "relaxation": sequential convex relaxation. "search": exact fits with one hidden layer by many short local fits,
        for the exact loss. "auto": the search where it applies.
    polish : bool, default=None
        Whether to refine the best network of every start of the relaxation by Levenberg-Marquardt or L-BFGS. None: with
        the exact loss.
    starts : int, default=1
        Random starts; the best network is kept.
    max_iter : int, default=None
        Outer iterations (search: local fits) of a start at most. None: 1000 (search: 2000).
    tol : float, default=None
        Largest violation, in scaled units, at which a start of the relaxation has converged. None: 1e-8.
    time_limit : float, default=0
        Seconds for all starts together; 0: none.
    random_state : int, RandomState instance or None, default=None
        Of the random starts. An int is the seed of the library itself (`relufit train --seed`).
    n_jobs : int, default=None
        Threads; None is 1, -1 all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether to print a line per recorded iteration.""",
    "attributes": """model_ : relufit.Model
        The network: save, exports, layers.
    status_ : str
        How training ended: "converged", "stalled", "iteration limit", "time limit" or "interrupted".
    trace_ : dict of arrays
        Violations, objective, loss and fit of the records of the start that was kept (empty where all targets are
        constant), in scaled units.
    n_iter_ : int
        Iterations of that start.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.""",
}


def _documented(estimator: type) -> type:
    """Puts the shared parameters and attributes into the documentation of an estimator."""
    for name, text in _SHARED.items():
        if estimator.__doc__ is not None:
            estimator.__doc__ = estimator.__doc__.replace(f"<{name}>", text)
    return estimator


@_documented
class ReluRegressor(RegressorMixin, _ReluEstimator):
    """ReLU network for regression, trained by sequential convex relaxation.

    Inputs and targets are scaled inside. Targets may have several columns; constant ones are predicted as they are.
    Ctrl-C ends `fit` within a second (or one iteration of the method, where that takes longer) with a usable estimator,
    a ConvergenceWarning and `status_` "interrupted".

    Parameters
    ----------
    <parameters>
    loss : {"squared", "exact"}, default="squared"
        "squared": half the sum of squared errors. "exact": outputs equal targets; a ConvergenceWarning says where no
        exact fit was found.
    output_activation : {"linear", "relu"}, default="linear"
        "relu": predictions >= 0; no target may be negative.

    Attributes
    ----------
    <attributes>

    Examples
    --------
    >>> import numpy as np
    >>> from relufit import ReluRegressor
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = ReluRegressor(hidden=(4,), random_state=0).fit(X, np.abs(X[:, 0]))
    >>> bool(model.score(X, np.abs(X[:, 0])) > 0.9)
    True
    """

    def __init__(
        self,
        hidden=(10,),
        *,
        loss="squared",
        ridge=None,
        lasso=0,
        group_lasso=0,
        constraints=None,
        method="auto",
        polish=None,
        starts=1,
        max_iter=None,
        tol=None,
        time_limit=0,
        random_state=None,
        n_jobs=None,
        verbose=False,
        output_activation="linear",
    ):
        super().__init__(
            hidden,
            loss=loss,
            ridge=ridge,
            lasso=lasso,
            group_lasso=group_lasso,
            constraints=constraints,
            method=method,
            polish=polish,
            starts=starts,
            max_iter=max_iter,
            tol=tol,
            time_limit=time_limit,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.output_activation = output_activation

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.output_activation == "relu"
        return tags

    def fit(self, X, y):
        """Trains on X (samples, features) and y (samples,) or (samples, outputs); returns self."""
        names = getattr(y, "columns", [getattr(y, "name", None)])
        X, y = validate_data(
            self, X, y, dtype=np.float64, order="C", multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        self._one_column = y.ndim == 1
        targets = np.ascontiguousarray(y.reshape(len(y), -1), dtype=float)
        if len(names) != targets.shape[1] or any(not isinstance(name, str) for name in names):
            names = [f"y{i}" for i in range(targets.shape[1])]
        self._train(X, targets, [str(name) for name in names], self.output_activation)
        return self

    def predict(self, X):
        """Predictions (samples,) or (samples, outputs), as y was in fit."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._one_column else outputs


@_documented
class ReluClassifier(ClassifierMixin, _ReluEstimator):
    """ReLU network for classification by least squares.

    The network is fitted to the indicators of the classes (1 for the sample's class, 0 for the others) with the squared
    loss: its outputs estimate the probabilities of the classes in the least-squares sense, but need not be
    probabilities. `predict_proba` is their nearest point on the probability simplex, which never increases the squared
    error (Brier score) and keeps the order of the classes; many of its values are exactly 0 or 1. It is not calibrated,
    and its logarithm may be infinite. Ctrl-C is as in ReluRegressor.

    Parameters
    ----------
    <parameters>
    loss : {"squared"}, default="squared"
        The only one for now.

    Attributes
    ----------
    classes_ : array
        The classes, sorted.
    <attributes>
    """

    def fit(self, X, y):
        """Trains on X (samples, features) and classes y (samples,); returns self."""
        if self.loss != "squared":
            raise ValueError(f"loss: {self.loss!r}, expected 'squared'")
        X, y = validate_data(self, X, y, dtype=np.float64, order="C", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y: 1 class, expected at least 2 classes")
        targets = np.eye(len(self.classes_))[indices]
        if len(self.classes_) == 2:
            targets = targets[:, 1:]  # the other column is 1 minus this one
        names = [str(name) for name in self.classes_[-targets.shape[1] :]]
        self._train(X, np.ascontiguousarray(targets), names, "linear")
        return self

    def predict_proba(self, X):
        """Probabilities (samples, classes): the outputs' nearest point on the simplex, see above."""
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            second = np.clip(outputs, 0, 1)
            return np.hstack([1 - second, second])
        return _simplex(outputs)

    def predict(self, X):
        """The class with the largest output."""
        probabilities = self.predict_proba(X)
        return self.classes_[np.argmax(probabilities, axis=1)]


def _simplex(points: np.ndarray) -> np.ndarray:
    """Euclidean projection of every row on {p >= 0, sum p = 1}: p = max(0, point - t), t such that the sum is 1."""
    descending = -np.sort(-points, axis=1)
    count = np.arange(1, points.shape[1] + 1)
    shifts = (np.cumsum(descending, axis=1) - 1) / count
    last = np.sum(descending > shifts, axis=1, keepdims=True) - 1
    projected = np.maximum(points - np.take_along_axis(shifts, last, axis=1), 0)
    return projected / projected.sum(axis=1, keepdims=True)
