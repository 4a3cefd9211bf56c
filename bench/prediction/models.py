"""relufit and its peers as scikit-learn estimators, one thread each, with their defaults unless said."""

from __future__ import annotations

from typing import Any

import lightgbm
import relufit
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TUNING = {"hidden_layer_sizes": [(10,), (100,)], "alpha": [1e-4, 1e-2, 1, 10]}


def _scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


def _scaled_targets(estimator: Any) -> Any:
    return TransformedTargetRegressor(_scaled(estimator), transformer=StandardScaler())


def regressors() -> dict[str, Any]:
    return {
        "relufit": relufit.ReluRegressor(random_state=0),
        "MLP": _scaled_targets(MLPRegressor(random_state=0)),
        "MLP tuned": _scaled_targets(GridSearchCV(MLPRegressor(random_state=0, max_iter=1000), TUNING, cv=5)),
        "HistGradientBoosting": HistGradientBoostingRegressor(),
        "LightGBM": lightgbm.LGBMRegressor(verbose=-1, n_jobs=1),
        "ridge": _scaled(RidgeCV([0.1, 1, 10, 100, 1000])),
    }


def classifiers() -> dict[str, Any]:
    tuned = GridSearchCV(MLPClassifier(random_state=0, max_iter=1000), TUNING, cv=5, scoring="neg_log_loss")
    return {
        "relufit": relufit.ReluClassifier(random_state=0),
        "MLP": _scaled(MLPClassifier(random_state=0)),
        "MLP tuned": _scaled(tuned),
        "HistGradientBoosting": HistGradientBoostingClassifier(),
        "LightGBM": lightgbm.LGBMClassifier(verbose=-1, n_jobs=1),
        "logistic regression": _scaled(
            LogisticRegressionCV(scoring="neg_log_loss", max_iter=1000, l1_ratios=(0,), use_legacy_attributes=False)
        ),
    }
