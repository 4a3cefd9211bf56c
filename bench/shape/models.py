"""relufit and its peers, every one with a few settings of its own to choose from; one thread each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import relufit
import xgboost
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold

from .sets import Task

FOLDS = 3


class Chosen(BaseEstimator):
    """The setting that predicts held-out parts of the training data best, fitted to all of them."""

    def __init__(self, settings: dict[str, Any], classes: bool, seed: int) -> None:
        self.settings, self.classes, self.seed = settings, classes, seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> Chosen:
        kind = StratifiedKFold if self.classes else KFold
        parts = list(kind(FOLDS, shuffle=True, random_state=self.seed).split(X, y))
        score = get_scorer("neg_log_loss" if self.classes else "neg_mean_squared_error")
        self.scores_ = {}
        for name, estimator in self.settings.items() if len(self.settings) > 1 else ():
            held_out = [score(clone(estimator).fit(X[train], y[train]), X[test], y[test]) for train, test in parts]
            self.scores_[name] = float(np.mean(held_out))
        self.setting_ = max(self.scores_, key=self.scores_.get) if self.scores_ else next(iter(self.settings))
        self.estimator_ = clone(self.settings[self.setting_]).fit(X, y)
        self.setting_ = getattr(self.estimator_, "setting_", self.setting_)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.estimator_.predict(X)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.estimator_.predict_proba(X)

    def output(self, X: np.ndarray) -> np.ndarray:
        """What the directions are about: predictions, or probabilities of the class 1."""
        return self.predict_proba(X)[:, 1] if self.classes else np.asarray(self.predict(X), dtype=float)


def relufit_constraints(task: Task) -> dict[str, Any]:
    target = "class=1" if task.classes else "y0"
    names = {1: "increasing", -1: "decreasing"}
    return {
        "monotone": [
            {"input": f"x{column}", "target": target, "direction": names[direction]}
            for column, direction in enumerate(task.directions)
            if direction
        ]
    }


class Grown(BaseEstimator):
    """relufit as it grows: every setting chooses its ridge by 5-fold cross-validation, and the next one is tried as long
    as these held-out samples are predicted better by 2 %, the library's own rule for `hidden="auto"`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def fit(self, X: np.ndarray, y: np.ndarray) -> Grown:
        self.scores_: dict[str, float] = {}
        for name, estimator in self.settings.items():
            fitted = clone(estimator).fit(X, y)
            best = min(self.scores_.values(), default=np.inf)
            self.scores_[name] = float(fitted.ridge_path_["held_out"].min())
            if self.scores_[name] < best:
                self.setting_, self.estimator_ = name, fitted
            if self.scores_[name] > 0.98 * best:
                break
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.estimator_.predict(X)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.estimator_.predict_proba(X)


class MeanOf(BaseEstimator):
    """Mean of networks from different starts, as one network of all their units would be: outputs, or probabilities. The
    first chooses the ridge for all."""

    def __init__(self, estimator: Any, count: int) -> None:
        self.estimator, self.count = estimator, count

    def fit(self, X: np.ndarray, y: np.ndarray) -> MeanOf:
        first = clone(self.estimator).fit(X, y)
        seed = self.estimator.random_state
        others = [
            clone(self.estimator).set_params(ridge=first.ridge_, random_state=1000 * number + seed).fit(X, y)
            for number in range(1, self.count)
        ]
        self.networks_ = [first, *others]
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        if hasattr(self.networks_[0], "classes_"):
            return self.networks_[0].classes_[self.predict_proba(X).argmax(axis=1)]
        return np.mean([network.predict(X) for network in self.networks_], axis=0)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.mean([network.predict_proba(X) for network in self.networks_], axis=0)


def _relufit_of(task: Task, seed: int, hidden: tuple[int, ...] = (10,), skip: bool = False) -> Any:
    kind = relufit.ReluClassifier if task.classes else relufit.ReluRegressor
    return kind(hidden, skip_connections=skip, constraints=relufit_constraints(task), random_state=seed)


def _relufit(task: Task, seed: int) -> dict[str, Any]:
    return {"10 units": _relufit_of(task, seed)}


def _relufit_skip(task: Task, seed: int) -> dict[str, Any]:
    return {"10 units, skip": _relufit_of(task, seed, skip=True)}


def _relufit_mean(task: Task, seed: int) -> dict[str, Any]:
    return {"2 of 10 units": MeanOf(_relufit_of(task, seed), 2)}


def _relufit_grown(task: Task, seed: int) -> dict[str, Any]:
    """A linear model, then few hidden units beside one."""
    sizes = {"linear": (), "3 units, skip": (3,), "7 units, skip": (7,)}
    return {"grown": Grown({name: _relufit_of(task, seed, hidden, bool(hidden)) for name, hidden in sizes.items()})}


def _boosting_settings(make: Callable[..., Any]) -> dict[str, Any]:
    """The default, and two with small trees."""
    return {
        "default": make(),
        "8 leaves, 200 trees": make(leaves=8, trees=200, rate=0.05),
        "4 leaves, 300 trees": make(leaves=4, trees=300, rate=0.05),
    }


def _lightgbm(task: Task, seed: int) -> dict[str, Any]:
    kind = lightgbm.LGBMClassifier if task.classes else lightgbm.LGBMRegressor

    def make(leaves: int = 31, trees: int = 100, rate: float = 0.1) -> Any:
        return kind(num_leaves=leaves, n_estimators=trees, learning_rate=rate, n_jobs=1, verbose=-1, random_state=seed,
                    monotone_constraints=list(task.directions))  # fmt: skip

    return _boosting_settings(make)


def _hist(task: Task, seed: int) -> dict[str, Any]:
    kind = HistGradientBoostingClassifier if task.classes else HistGradientBoostingRegressor

    def make(leaves: int = 31, trees: int = 100, rate: float = 0.1) -> Any:
        return kind(max_leaf_nodes=leaves, max_iter=trees, learning_rate=rate, random_state=seed,
                    monotonic_cst=list(task.directions))  # fmt: skip

    return _boosting_settings(make)


def _xgboost(task: Task, seed: int) -> dict[str, Any]:
    kind = xgboost.XGBClassifier if task.classes else xgboost.XGBRegressor

    def make(leaves: int = 0, trees: int = 100, rate: float = 0.3) -> Any:
        # Without leaves its own default, trees of depth 6.
        policy = {"max_leaves": leaves, "max_depth": 0, "grow_policy": "lossguide"} if leaves else {}
        return kind(n_estimators=trees, learning_rate=rate, n_jobs=1, random_state=seed,
                    monotone_constraints=tuple(task.directions), **policy)  # fmt: skip

    return _boosting_settings(make)


def _lipschitz_network(task: Task, seed: int) -> dict[str, Any]:
    from .torch_peer import LipschitzMonotone

    return {
        f"Lipschitz {bound:g}": LipschitzMonotone(task.directions, task.classes, bound, seed)
        for bound in (0.5, 1.0, 2.0)
    }


CONTESTANTS: dict[str, Callable[[Task, int], dict[str, Any]]] = {
    "relufit, defaults": _relufit,
    "relufit, skip connections": _relufit_skip,
    "relufit, grown": _relufit_grown,
    "relufit, mean of two": _relufit_mean,
    "LightGBM": _lightgbm,
    "HistGradientBoosting": _hist,
    "XGBoost": _xgboost,
    "Lipschitz monotone network": _lipschitz_network,
}

MOST_SPLITS = {"Lipschitz monotone network": 2}


def contestant(name: str, task: Task, seed: int) -> Chosen:
    return Chosen(CONTESTANTS[name](task, seed), task.classes, seed)
