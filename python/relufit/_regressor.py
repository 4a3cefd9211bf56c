"""Regression for scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score
from sklearn.utils import check_array, check_consistent_length

from ._core import Model
from ._estimator import ReluEstimator, documented, merged
from ._frames import target_names
from ._quantiles import fit_quantiles

_LOSSES = ("squared", "exact", "absolute", "huber", "quantile")


def _with_constants(trained: Model | None, widths: list[int], kind: dict[str, Any], input_names: list[str],
                    target_names: list[str], targets: np.ndarray, varying: np.ndarray) -> Model:  # fmt: skip
    """The trained model with outputs added for constant targets, which the library does not train; None: only those."""
    widths = widths if trained is None else trained.widths[:-1]
    skipped = [0] + [widths[0] if kind["skip_connections"] else 0] * (len(widths) - 1)
    arguments = 2 if kind["activation"] == "maxout" else 1
    layers = [
        (np.zeros((arguments * after, before + more)), np.zeros(arguments * after))
        for before, more, after in zip(widths, skipped, widths[1:])
    ]
    weights, bias = np.zeros((len(varying), widths[-1] + skipped[-1])), targets[0].copy()
    offset, scale = np.zeros(len(varying)), np.ones(len(varying))
    input_scaling = training = None
    if trained is not None:
        layers, input_scaling, training = trained.layers[:-1], trained.input_scaling, trained.training
        weights[varying], bias[varying] = trained.layers[-1]
        offset[varying], scale[varying] = trained.target_scaling
    layers = [*layers, (weights, bias)]
    return Model(
        layers,
        input_scaling=input_scaling,
        target_scaling=(offset, scale),
        input_names=input_names,
        target_names=target_names,
        training=training,
        **kind,
    )


def _of_targets(start: Any, kept: np.ndarray) -> Any:
    """A network to start from, or validation samples, of these targets alone."""
    if kept.all():
        return start
    if isinstance(start, tuple):
        return start[0], start[1][:, kept], start[2]
    if not isinstance(start, Model) or start.widths[-1] != len(kept):
        return start
    (weights, bias), (offset, scale) = start.layers[-1], start.target_scaling
    return Model(
        [*start.layers[:-1], (weights[kept], bias[kept])],
        start.output_activation,
        input_scaling=start.input_scaling,
        target_scaling=(offset[kept], scale[kept]),
        input_names=start.input_names,
        activation=start.activation,
        activation_parameter=start.activation_parameter,
        skip_connections=start.skip_connections,
    )


@documented
class ReluRegressor(RegressorMixin, ReluEstimator):
    """ReLU network for regression, trained by sequential convex relaxation.

    Inputs and targets are scaled inside. Targets may have several columns; constant ones are predicted as they are.
    Ctrl-C ends `fit` within a second (or one iteration of the method, where that takes longer) with a usable estimator,
    a ConvergenceWarning and `status_` "interrupted".

    Parameters
    ----------
    <parameters>
    loss : {"squared", "exact", "absolute", "huber", "quantile"}, default="squared"
        "squared": half the sum of squared errors. "exact": outputs equal targets; a ConvergenceWarning says where no
        exact fit was found. "absolute": the median. "huber": squared for small errors, linear for others. "quantile":
        that quantile.
    loss_parameter : float, or list of float, default=None
        "huber": error from which on it is linear, in units of the targets, > 0. "quantile": the quantile, in (0, 1), or
        a rising list of several: predictions then have a column for each, and never cross, for any input, which the
        weights of the network prove. Each quantile has `hidden` units of its own. These losses need it, others have
        none.
    output_activation : {"linear", "relu"}, default="linear"
        "relu": predictions >= 0; no target may be negative. With the squared and the exact loss.

    Attributes
    ----------
    <attributes>
        With several quantiles `ridge_` and `ridge_path_` are lists, and trace and iterations those of the one nearest
        to the median.

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
        loss_parameter=None,
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
        output_activation="linear",
    ):
        super().__init__(
            hidden,
            loss=loss,
            activation=activation,
            activation_parameter=activation_parameter,
            skip_connections=skip_connections,
            bias=bias,
            ridge=ridge,
            lasso=lasso,
            group_lasso=group_lasso,
            nuclear=nuclear,
            constraints=constraints,
            validation_fraction=validation_fraction,
            method=method,
            strategy=strategy,
            init=init,
            warm_start=warm_start,
            polish=polish,
            weight_grid=weight_grid,
            starts=starts,
            max_iter=max_iter,
            tol=tol,
            time_limit=time_limit,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
            categorical=categorical,
        )
        self.loss_parameter = loss_parameter
        self.output_activation = output_activation

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.output_activation == "relu"
        return tags

    def fit(self, X, y, sample_weight=None, eval_set=None):
        """Trains on X (samples, features) and y (samples,) or (samples, outputs); returns self.

        sample_weight (samples,), >= 0, weighs the samples in the loss; only ratios matter, and a weight counts like
        that many repetitions of the sample. eval_set, a tuple (X, y) or (X, y, sample_weight), are samples to choose
        by, as those of `validation_fraction`. Neither with the exact loss.
        """
        if self.loss not in _LOSSES:
            raise ValueError(f"loss: {self.loss!r}, expected one of {', '.join(_LOSSES)}")
        if sample_weight is not None and self.loss == "exact":
            raise ValueError("sample_weight: given, expected none with the exact loss")
        names = target_names(y)
        X, y = self._checked(X, y, multi_output=True, y_numeric=True, ensure_min_samples=2)
        self._one_column = y.ndim == 1
        targets = np.ascontiguousarray(y.reshape(len(y), -1), dtype=float)
        if names is None or len(names) != targets.shape[1]:
            names = [f"y{i}" for i in range(targets.shape[1])]
        weights = None
        if self.loss != "exact":
            X, targets, weights = merged(X, targets, sample_weight)
        validation = self._held_out(eval_set, targets.shape[1])
        if self.loss == "quantile" and np.ndim(self.loss_parameter) == 1:
            self.model_ = fit_quantiles(self, X, targets, names[0], weights, validation)
        else:
            self.model_ = self._model(X, targets, names, weights, validation)
        self._warn()
        return self

    def _held_out(self, eval_set: Any, targets: int) -> Any:
        """The samples to choose by, their targets (samples, targets)."""
        validation = self._validation(eval_set)
        if not isinstance(validation, tuple):
            return validation
        X, y, weights = validation
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="eval_set")
        check_consistent_length(X, y)
        y = y.reshape(len(y), -1)
        if y.shape[1] != targets:
            raise ValueError(f"eval_set: {y.shape[1]} columns of targets, expected {targets}")
        return X, y, weights

    def _model(self, X: np.ndarray, targets: np.ndarray, names: list[str], weights: Any, validation: Any) -> Model:
        varying = np.ptp(targets, axis=0) > 0
        init, ridge = self._start()
        starts = 1 if self.warm_start and isinstance(init, Model) else self.starts
        self.n_iter_, self.status_, self.trace_, trained = 1, "converged", {}, None
        self.ridge_, self.ridge_path_ = ridge, None
        if varying.any():
            trained = self._train(
                X,
                targets[:, varying],
                [name for name, kept in zip(names, varying) if kept],
                loss_parameter=self.loss_parameter,
                output_activation=self.output_activation,
                sample_weight=weights,
                ridge=ridge,
                starts=starts,
                init=_of_targets(init, varying),
                validation=validation if not isinstance(validation, tuple) else _of_targets(validation, varying),
            )
            if varying.all():
                return trained
        hidden = [] if isinstance(self.hidden, str) else np.atleast_1d(self.hidden).astype(int).tolist()
        widths = [X.shape[1], *hidden]
        names_of_kind = ("output_activation", "activation", "activation_parameter", "skip_connections")
        kind = {name: getattr(self, name) for name in names_of_kind}
        kind["categories"] = self._categories
        return _with_constants(trained, widths, kind, self._names(X), names, targets, varying)

    def predict(self, X):
        """Predictions (samples,) or (samples, outputs), as y was in fit; (samples, quantiles) of several quantiles."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._one_column and np.ndim(self.loss_parameter) == 0 else outputs

    def score(self, X, y, sample_weight=None):
        """R2 of the predictions; of several quantiles the mean of D2, the share of the pinball loss of the constant
        quantile that is explained."""
        if np.ndim(self.loss_parameter) == 0:
            return super().score(X, y, sample_weight)
        outputs = self.predict(X).T
        return float(np.mean([
            d2_pinball_score(y, z, sample_weight=sample_weight, alpha=level)
            for z, level in zip(outputs, self.loss_parameter)
        ]))  # fmt: skip
