"""What writing and reading share."""

from __future__ import annotations

from typing import Any

NAMES = ("relufit.input_names", "relufit.target_names")  # keys of the model's metadata
CLASSES = "relufit.classification"
CATEGORIES = "relufit.categories"
OLDEST_OPSET = 7  # in older ones operands are repeated as attributes say


def onnx_package() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ImportError("ONNX files need the package onnx: pip install 'relufit[onnx]'") from error
    return onnx
