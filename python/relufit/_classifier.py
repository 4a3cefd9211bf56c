"""Classification for scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import validate_data

from ._estimator import ReluEstimator, documented, merged
from ._frames import target_names
from ._labels import CLASS_LOSSES, class_names


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
        activation="relu",
        activation_parameter=None,
        skip_connections=False,
        ridge="auto",
        lasso=0,
        group_lasso=0,
        constraints=None,
        method="auto",
        polish=None,
        weight_grid=0,
        starts=1,
        max_iter=None,
        tol=None,
        time_limit=0,
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        super().__init__(
            hidden,
            loss=loss,
            activation=activation,
            activation_parameter=activation_parameter,
            skip_connections=skip_connections,
            ridge=ridge,
            lasso=lasso,
            group_lasso=group_lasso,
            constraints=constraints,
            method=method,
            polish=polish,
            weight_grid=weight_grid,
            starts=starts,
            max_iter=max_iter,
            tol=tol,
            time_limit=time_limit,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.loss != "logistic"
        return tags

    def fit(self, X, y, sample_weight=None):
        """Trains on X (samples, features) and classes y (samples,), of any type; returns self.

        sample_weight (samples,), >= 0, weighs the samples in the loss; only ratios matter, and a weight counts like
        that many repetitions of the sample.
        """
        if self.loss not in CLASS_LOSSES:
            raise ValueError(f"loss: {self.loss!r}, expected one of {', '.join(CLASS_LOSSES)}")
        names = target_names(y)
        X, y = validate_data(self, X, y, dtype=np.float64, order="C", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y: 1 class, expected at least 2 classes")
        if len(self.classes_) > 2 and self.loss == "logistic":
            raise ValueError(
                f"loss: 'logistic' with {len(self.classes_)} classes, expected 2. Only binary classification is "
                f"supported. The type of the target is {type_of_target(y)}."
            )
        X, indices, weights = merged(X, indices[:, np.newaxis], sample_weight)
        missing = np.setdiff1d(np.arange(len(self.classes_)), indices)
        if len(missing) > 0:
            raise ValueError(
                f"sample_weight: 0 for all samples of class {self.classes_[missing[0]]!r}, expected one above 0"
            )
        classes = class_names(self.classes_)
        labels = [classes[int(index)] for index in indices[:, 0]]
        label = names if names is not None and len(names) == 1 else ["class"]
        self.model_ = self._train(X, labels, label, classes=classes, sample_weight=weights)
        self._warn()
        return self

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
