"""Classification for scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d, compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ._core import Model
from ._estimator import ReluEstimator, documented, merged, positive_weights
from ._frames import target_names
from ._labels import CLASS_LOSSES, class_names


def _shown(label):
    return repr(label.item() if isinstance(label, np.generic) else label)


def _has_probabilities(estimator: ReluClassifier) -> bool:
    if estimator.loss == "hinge":
        raise AttributeError("the hinge loss has no probabilities")
    return True


@documented
class ReluClassifier(ClassifierMixin, ReluEstimator):
    """ReLU network for classification, trained by sequential convex relaxation.

    Inputs are scaled inside. Ctrl-C ends `fit` within a second (or one iteration of the method, where that takes longer)
    with a usable estimator, a ConvergenceWarning and `status_` "interrupted".

    Parameters
    ----------
    <parameters>
    loss : {"cross-entropy", "logistic", "hinge"}, default="cross-entropy"
        "cross-entropy": one output per class, probabilities by softmax. "logistic": two classes, one output, the log
        odds of the second. "hinge": no probabilities; three classes or more, one against the rest.
    class_weight : mapping, "balanced" or None, default=None
        Weights of classes, >= 0, by which those of their samples are multiplied, in training and in validation; classes
        not named have 1. "balanced": inversely proportional to the sums of their samples' weights.

    Attributes
    ----------
    classes_ : array
        The classes, sorted. `model_.classification.classes` has their names in the same order.
    <attributes>

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from relufit import ReluClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(ReluClassifier(hidden=(6,), random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        hidden=(10,),
        *,
        loss="cross-entropy",
        class_weight=None,
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
        self.class_weight = class_weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.loss != "logistic"
        return tags

    def fit(self, X, y, sample_weight=None, eval_set=None):
        """Trains on X (samples, features) and classes y (samples,), of any type; returns self.

        sample_weight (samples,), >= 0, weighs the samples in the loss; only ratios matter, and a weight counts like
        that many repetitions of the sample. eval_set, a tuple (X, y) or (X, y, sample_weight), are samples to choose
        by, as those of `validation_fraction`.
        """
        if self.loss not in CLASS_LOSSES:
            raise ValueError(f"loss: {self.loss!r}, expected one of {', '.join(CLASS_LOSSES)}")
        names = target_names(y)
        X, y = self._checked(X, y, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y: 1 class, expected at least 2 classes")
        if len(self.classes_) > 2 and self.loss == "logistic":
            raise ValueError(
                f"loss: 'logistic' with {len(self.classes_)} classes, expected 2. Only binary classification is "
                f"supported. The type of the target is {type_of_target(y)}."
            )
        per_class, weights = self._class_weights(indices, X, sample_weight)
        X, indices, weights = merged(X, indices[:, np.newaxis], weights)
        missing = np.setdiff1d(np.arange(len(self.classes_)), indices)
        if len(missing) > 0:
            raise ValueError(
                f"{'sample_weight' if per_class is None else 'sample_weight, class_weight'}: 0 for all samples of "
                f"class {_shown(self.classes_[missing[0]])}, expected one above 0"
            )
        classes = class_names(self.classes_)
        label = names if names is not None and len(names) == 1 else ["class"]
        init, ridge = self._start()
        self.model_ = self._train(
            X,
            [classes[int(index)] for index in indices[:, 0]],
            label,
            classes=classes,
            sample_weight=weights,
            init=self._same_classes(init, classes),
            ridge=ridge,
            starts=1 if self.warm_start and isinstance(init, Model) else self.starts,
            validation=self._held_out(eval_set, classes, per_class),
        )
        self._warn()
        return self

    def _class_weights(self, indices, X, sample_weight):
        """Weights of the classes, or None, and of the samples with them."""
        if self.class_weight is None:
            return None, sample_weight
        weights = positive_weights(sample_weight, X)
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            sums = np.bincount(indices, weights, len(self.classes_))
            per_class = np.divide(weights.sum() / len(sums), sums, out=np.zeros(len(sums)), where=sums > 0)
        else:
            per_class = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[indices])
        if not (np.isfinite(per_class).all() and (per_class >= 0).all()):
            raise ValueError(f"class_weight: {self.class_weight!r}, expected finite numbers >= 0")
        return per_class, weights * per_class[indices]

    def _same_classes(self, init, classes):
        found = init.classification if isinstance(init, Model) else None
        if found is not None and found.classes != classes:
            raise ValueError(
                f"init: a network of the classes {', '.join(found.classes)}, expected {', '.join(classes)}"
            )
        return init

    def _held_out(self, eval_set, classes, per_class):
        """The samples to choose by, with the names of their classes and weights with those of the classes."""
        validation = self._validation(eval_set)
        if not isinstance(validation, tuple):
            return validation
        X, y, weights = validation
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        known = np.isin(y, self.classes_)
        if not known.all():
            raise ValueError(f"eval_set: class {_shown(y[~known][0])}, expected one of those in y")
        indices = np.searchsorted(self.classes_, y)
        if per_class is not None:
            weights = (1 if weights is None else weights) * per_class[indices]
        return X, [classes[int(index)] for index in indices], weights

    def decision_function(self, X):
        """Scores (samples, classes), the largest being the class's; of two classes (samples,), of the second if > 0."""
        scores = self._outputs(X)
        if scores.shape[1] == 1:
            return scores[:, 0]
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    @available_if(_has_probabilities)
    def predict_proba(self, X):
        """Probabilities (samples, classes), classes as in `classes_`. Not with the hinge loss."""
        X = self._inputs(X)
        return self.model_.predict_proba(X)

    def predict(self, X):
        """The most probable class, or with the hinge loss that of the largest score."""
        scores = self.decision_function(X)
        positions = (scores > 0).astype(int) if scores.ndim == 1 else np.argmax(scores, axis=1)
        return self.classes_[positions]
