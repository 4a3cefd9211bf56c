"""What both estimators for scikit-learn share."""

from __future__ import annotations

import numbers
import os
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state, check_X_y
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._core import Model, RidgeChoice, TrainProgress, TrainResult
from ._frames import encoded, find_categories, input_names, texts, with_level_names
from ._multilayer import to_sklearn
from ._training import train


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
    if progress.tried_ridge is not None:
        print(f"[relufit] ridge {progress.tried_ridge}: held-out loss {progress.loss:.4e}, {progress.seconds:.1f} s")
        return
    print(
        f"[relufit] start {progress.start}, iteration {progress.iteration}: loss {progress.loss:.4e}, "
        f"relative residual {progress.fit:.4e}, {progress.seconds:.1f} s"
    )


def positive_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray:
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if not weights.any():  # newer versions of scikit-learn have refused it already
        raise ValueError("sample_weight: all are zero, expected one above 0")
    if (weights < 0).any():
        raise ValueError(f"sample_weight: {weights.min()}, expected numbers >= 0")
    return weights


def merged(X: np.ndarray, y: np.ndarray, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Samples X (samples, features), y (samples, outputs) such that a weight counts like repetitions of the sample.

    The starts of the library have a random number per sample, its scaling ignores weights, and its ridge counts
    samples. So equal samples are merged, samples of weight 0 left out, and weights have mean 1, in the order of the
    values: the same training set, however weights and repetitions are split. Where that changes nothing but the order,
    data are returned as they are, with weights None.
    """
    weights = np.ones(len(X)) if sample_weight is None else positive_weights(sample_weight, X)
    kept = weights > 0
    rows, inverse = np.unique(np.hstack([X, y])[kept], axis=0, return_inverse=True)
    sums = np.bincount(inverse.ravel(), weights[kept])
    even = np.ptp(sums) == 0
    if even and len(rows) == len(X):
        return X, y, None
    features, targets = (np.ascontiguousarray(part) for part in np.hsplit(rows, [X.shape[1]]))
    return features, targets, None if even else sums * (len(sums) / sums.sum())


def ridge_path(choice: RidgeChoice | None) -> dict[str, np.ndarray] | None:
    return choice and {
        "ridge": np.array(choice.ridges),
        "held_out": np.array(choice.held_out),
        "standard_error": np.array(choice.standard_error),
    }


class ReluEstimator(BaseEstimator):
    """Parameters, and fitting of targets."""

    def __init__(
        self,
        hidden,
        *,
        loss,
        activation="relu",
        activation_parameter=None,
        skip_connections=False,
        bias=True,
        ridge="auto",
        lasso=0,
        group_lasso=0,
        nuclear=0,
        constraints=None,
        validation_fraction=None,
        method="auto",
        strategy=None,
        init="random",
        warm_start=False,
        polish=None,
        weight_grid=0,
        starts=1,
        max_iter=None,
        tol=None,
        time_limit=0,
        random_state=None,
        n_jobs=None,
        verbose=False,
        categorical=None,
    ):
        self.hidden = hidden
        self.loss = loss
        self.activation = activation
        self.activation_parameter = activation_parameter
        self.skip_connections = skip_connections
        self.bias = bias
        self.ridge = ridge
        self.lasso = lasso
        self.group_lasso = group_lasso
        self.nuclear = nuclear
        self.constraints = constraints
        self.validation_fraction = validation_fraction
        self.method = method
        self.strategy = strategy
        self.init = init
        self.warm_start = warm_start
        self.polish = polish
        self.weight_grid = weight_grid
        self.starts = starts
        self.max_iter = max_iter
        self.tol = tol
        self.time_limit = time_limit
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.categorical = categorical

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = self.categorical is not None
        return tags

    def _checked(self, X: Any, y: Any = "no_validation", *, reset: bool = True, **options: Any) -> Any:
        """X, or X and y, as numbers, checked as scikit-learn's validate_data does; columns of text by their levels,
        which `fit` (`reset`) finds."""
        options = {"dtype": np.float64, "order": "C", **options}
        if self.categorical is None:
            if reset:
                self._categories: dict[str, list[str]] = {}
            return validate_data(self, X, y, reset=reset, **options)
        if input_names(X) is None:
            raise ValueError("X: an array with categorical, expected a frame, whose columns have names")
        validate_data(self, X, reset=reset, skip_check_array=True)
        if reset:
            self._categories = find_categories(X, self.categorical)
        X = encoded(X, list(self.feature_names_in_), self._categories)
        return check_array(X, **options) if isinstance(y, str) else check_X_y(X, y, **options)

    def _names(self, X: np.ndarray) -> list[str]:
        names = texts(getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])]), "input_names")
        return with_level_names(names, self._categories)

    def _start(self) -> tuple[Any, Any]:
        """What training starts from, and the ridge: with "auto" that of the estimator which it starts from."""
        init = self if self.warm_start and hasattr(self, "model_") else self.init
        ridge = self.ridge
        if isinstance(init, ReluEstimator):
            check_is_fitted(init, msg="init: an estimator that is not fitted, expected a fitted one, or its model_ (a "
                            "search or a pipeline clones estimators, but no models)")  # fmt: skip
            ridge = init.ridge_ if ridge is None or ridge == "auto" else ridge
            init = init.model_
        return init, ridge

    def _validation(self, eval_set: Any) -> Any:
        """The fraction held out, or samples (X, y, sample_weight or None) checked as those of `fit` are, but for y."""
        if eval_set is None:
            return self.validation_fraction
        if self.validation_fraction is not None:
            raise ValueError(
                f"eval_set: given with validation_fraction {self.validation_fraction}, expected one of them"
            )
        pairs = eval_set if isinstance(eval_set, list) else [eval_set]
        if len(pairs) != 1 or not isinstance(pairs[0], tuple) or len(pairs[0]) not in (2, 3):
            raise ValueError("eval_set: expected one tuple (X, y) or (X, y, sample_weight), alone or in a list")
        X, y, *weights = pairs[0]
        X = self._checked(X, reset=False)
        weights = None if not weights or weights[0] is None else positive_weights(weights[0], X)
        return X, y, weights

    def _result(self, X: np.ndarray, targets: Any, target_names: list[str], **options: Any) -> TrainResult:
        """Trained with the estimator's parameters, but for the options."""
        parameters = {
            "loss": self.loss,
            "activation": self.activation,
            "activation_parameter": self.activation_parameter,
            "skip_connections": self.skip_connections,
            "bias": self.bias,
            "method": self.method,
            "strategy": self.strategy,
            "polish": self.polish,
            "weight_grid": self.weight_grid,
            "ridge": self.ridge,
            "lasso": self.lasso,
            "group_lasso": self.group_lasso,
            "nuclear": self.nuclear,
            "constraints": self.constraints,
            "seed": _seed(self.random_state),
            "starts": self.starts,
            "iterations": self.max_iter,
            "tolerance": self.tol,
            "time_limit": self.time_limit,
            "threads": _threads(self.n_jobs),
            "target_names": target_names,
            "categorical": self._categories or None,
            "callback": _print_progress if self.verbose else None,
        }
        options = {**parameters, **options}
        if "input_names" not in options:
            options["input_names"] = self._names(X)
        hidden = self.hidden if isinstance(self.hidden, str) else tuple(np.atleast_1d(self.hidden).tolist())
        return train(X, targets, hidden, **options)

    def _train(self, X: np.ndarray, targets: Any, target_names: list[str], **options: Any) -> Model:
        """The same; sets all attributes but the model, which is returned."""
        result = self._result(X, targets, target_names, **options)
        self.status_, self.trace_ = result.status, result.trace
        choice = result.ridge_choice
        self.ridge_ = choice.ridge if choice else options.get("ridge", self.ridge)
        self.ridge_path_ = ridge_path(choice)
        self.n_iter_ = int(self.trace_["iteration"][-1])
        return result.model

    def _warn(self) -> None:
        if self.status_ == "interrupted":
            warnings.warn(
                "Training was interrupted: the best network so far is kept.", ConvergenceWarning, stacklevel=3
            )
        elif self.loss == "exact" and self.status_ != "converged":
            residual = self.model_.training.relative_residual
            warnings.warn(
                f"No exact fit was found ({self.status_}, relative residual {residual:.1e}): more starts, more "
                "iterations or more hidden units may help.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def save(self, path: str | bytes | os.PathLike[Any]) -> None:
        """Writes the network as a model file, which `Model.load` and the program read."""
        check_is_fitted(self)
        self.model_.save(path)

    def to_c(
        self, path: str | bytes | os.PathLike[Any] | None = None, *, name: str | None = None, dtype: str = "float64"
    ) -> str:
        """The network as a C99 header, which is returned and, with a path, written: see `Model.to_c`."""
        check_is_fitted(self)
        return self.model_.to_c(path, name=name, dtype=dtype)

    def to_onnx(self, path: str | bytes | os.PathLike[Any] | None = None, **options: Any) -> Any:
        """The network as an ONNX model, which is returned and, with a path, written: see `relufit.to_onnx`, which has
        the options."""
        check_is_fitted(self)
        return self.model_.to_onnx(path, **options)

    def to_sklearn(self) -> BaseEstimator:
        """The network as a fitted MLPRegressor or MLPClassifier whose predictions are the same but for rounding: see
        `relufit.to_sklearn`. ValueError for networks that these do not have."""
        check_is_fitted(self)
        names = self.model_.input_names if self._categories else getattr(self, "feature_names_in_", None)
        return to_sklearn(self.model_, getattr(self, "classes_", None), names)

    def _inputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self._checked(X, reset=False)

    def _outputs(self, X: Any) -> np.ndarray:
        X = self._inputs(X)
        return self.model_.predict(X)


SHARED = {
    "parameters": """hidden : tuple of int, or "auto", default=(10,)
        Units of the hidden layers. (): a linear model, whose training problem is convex. "auto": one hidden layer of 10
        units, doubled as long as that predicts held-out samples better by 2 %, up to 160: `model_.widths` says how many.
    activation : {"relu", "leaky-relu", "absolute", "clipped-relu", "hard-tanh", "maxout"}, default="relu"
        Of the hidden units: max(z, 0); max(z, c z); |z|; z from 0 to a ceiling; z from -1 to 1; the larger of two
        arguments.
    activation_parameter : float, default=None
        "leaky-relu": slope c, in (-1, 1); None: 0.01. "clipped-relu": ceiling, > 0, scaled units; None: 1.
    skip_connections : bool, default=False
        Whether layers after the first see the inputs as well.
    bias : bool, default=True
        Whether layers have biases; without, data are scaled and not centered.
    ridge : float or "auto", default="auto"
        Penalty on squared weights per target value (cross-entropy: per sample), >= 0. "auto": the one that predicts
        held-out samples best, by 5-fold cross-validation or on validation samples (`ridge_`, `ridge_path_`); with the
        exact loss 0; from a fitted estimator the ridge of that, from another start 0.003.
    lasso, group_lasso, nuclear : float, default=0
        Penalties on the sizes of weights, on the norms of the hidden units' input weights, and on the singular values
        of layers, likewise: they set weights to 0, remove units, and make ranks low.
    constraints : mapping or path of a file, default=None
        Hard constraints on the network for raw data, such as monotonicity in a feature: docs/constraints.md. Features
        without names are x0, x1, ...; targets y0, y1, ..., of classes "class=NAME".
    validation_fraction : float, default=None
        Share of the samples, in (0, 1), that is held out of training, at random (of every class), to choose by: the
        ridge, in place of cross-validation, and of several starts the network. Training passes from large ridges, with
        few units at work, to small ones, and ends early, where for three in a row these samples are predicted no
        better. `fit` takes samples of your own as `eval_set`.
    method : {"auto", "relaxation", "search"}, default="auto"
        "relaxation": sequential convex relaxation. "search": exact fits by many short local fits, for the exact loss.
        "auto": the search where it applies.
    strategy : str, default=None
        How the relaxation's parameters follow from its solutions: "inexact" (None), "converged", "extrapolated",
        "continuation", "reweighted", "safeguarded" or "projection" (docs/strategies.md).
    init : {"random", "zero"}, Model or fitted estimator, default="random"
        Start of the relaxation. A network needs the same layers. Searches clone estimators: give them its `model_`.
    warm_start : bool, default=False
        Whether `fit` starts from the network of the `fit` before, if there was one, and with ridge "auto" keeps its
        ridge.
    polish : bool, default=None
        Whether to refine the best network of every start of the relaxation by Levenberg-Marquardt or L-BFGS. None: yes.
    weight_grid : float, default=0
        Step of the grid that weights and biases of the network for raw data are rounded to at the end, the fit being
        repaired; 0: none.
    starts : int, default=1
        Random starts; the best network is kept.
    max_iter : int, default=None
        Outer iterations (search: local fits) of a start at most. None: 1000, cross-entropy and logistic 60, hinge 300
        (search: 5000).
    tol : float, default=None
        Largest violation, in scaled units, at which a start of the relaxation has converged. None: 1e-8.
    time_limit : float, default=0
        Seconds for all starts together; 0: none.
    random_state : int, RandomState instance or None, default=None
        Of the random starts. An int is the seed of the library itself (`relufit train --seed`).
    n_jobs : int, default=None
        Threads; None is 1, -1 all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether to print a line per recorded iteration.
    categorical : list of str, "from_dtype" or mapping of columns to levels, default=None
        Columns of the frame X that are taken as text, or all whose type is text or categories. Each of their texts is
        an input of 0 and 1 of the network, named column=text. These levels are the texts in `fit`, sorted, or the
        categories that a pandas type declares, or those given, 2 to 1000; a text in `predict` that is none of them is a
        ValueError.""",
    "attributes": """ridge_ : float
        The ridge trained with; "auto" where it was neither given nor chosen (TrainOptions in docs/command-line.md).
    ridge_path_ : dict of arrays, or None
        How the ridge was chosen: "ridge", those tried; "held_out", for each the mean loss of a held-out target value
        (sample), scaled units; "standard_error" of these means.
    model_ : relufit.Model
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


def documented(estimator: type) -> type:
    """Puts the shared parameters and attributes into the documentation of an estimator."""
    for name, text in SHARED.items():
        if estimator.__doc__ is not None:
            estimator.__doc__ = estimator.__doc__.replace(f"<{name}>", text)
    return estimator
