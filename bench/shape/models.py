"""relufit and its peers, every one with ten settings of its own to choose from by 5-fold cross-validation: relufit its
ridges, boosted trees their sizes and numbers. One thread each."""

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

FOLDS = 5


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


def _relufit_of(task: Task, seed: int, hidden: tuple[int, ...] = (10,), **options: Any) -> Any:
    kind = relufit.ReluClassifier if task.classes else relufit.ReluRegressor
    return kind(hidden, constraints=relufit_constraints(task), random_state=seed, **options)


def _relufit(task: Task, seed: int) -> dict[str, Any]:
    return {"10 units": _relufit_of(task, seed)}


def _relufit_skip(task: Task, seed: int) -> dict[str, Any]:
    return {"10 units, skip": _relufit_of(task, seed, skip_connections=True)}


def _relufit_wide(task: Task, seed: int) -> dict[str, Any]:
    return {"20 units": _relufit_of(task, seed, (20,), starts=3)}


def _boosting_settings(make: Callable[..., Any]) -> dict[str, Any]:
    """The default, and nine with smaller trees and steps."""
    small = {
        f"{leaves} leaves, {trees} trees": make(leaves=leaves, trees=trees, rate=0.05)
        for leaves in (4, 8, 16)
        for trees in (100, 200, 400)
    }
    return {"default": make(), **small}


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
    "relufit, 20 units, 3 starts": _relufit_wide,
    "LightGBM": _lightgbm,
    "HistGradientBoosting": _hist,
    "XGBoost": _xgboost,
    "Lipschitz monotone network": _lipschitz_network,
}

MOST_SPLITS = {"Lipschitz monotone network": 2}


def contestant(name: str, task: Task, seed: int) -> Chosen:
    return Chosen(CONTESTANTS[name](task, seed), task.classes, seed)
