"""ReLU networks trained by convex optimization.

    ReluRegressor, ReluClassifier   estimators for scikit-learn
    train                           from arrays to a Model, with every option of the library
    certify                         how far a model can be from the best network of any width
    report                          all about a training on one page (needs jinja2)
    Model                           a network with scalings and names: predict, save, load, exports
    relufit.control                 proofs for controllers: errors against a law, bounds, invariance (needs highspy)
    relufit.core                    the convex subproblem, its parameters and proximal maps
    relufit.plot                    pictures (needs matplotlib)

Arrays have one row per sample.
"""

from ._certificate import certify
from ._classifier import ReluClassifier
from ._core import Certificate, Model, TrainingRecord
from ._core import version as __version__
from ._multilayer import to_sklearn
from ._onnx import from_onnx, to_onnx
from ._regressor import ReluRegressor
from ._report import report
from ._torch import from_torch, to_torch
from .core import TrainResult, train

__all__ = [
    "Certificate",
    "Model",
    "ReluClassifier",
    "ReluRegressor",
    "TrainResult",
    "TrainingRecord",
    "__version__",
    "certify",
    "from_onnx",
    "from_torch",
    "report",
    "to_onnx",
    "to_sklearn",
    "to_torch",
    "train",
]
