"""Operators of ONNX on the values of a graph (values.py): what is not exactly known is refused.

An operator takes its operands, constants (arrays) or values, and its attributes as keywords; attributes that it does
not name are refused, too. Constants alone are left to ONNX' own evaluation of a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .shared import onnx_package
from .values import (
    Affine,
    Array,
    Labels,
    Probabilities,
    ProbabilityMaps,
    Source,
    activated,
    added,
    clamped,
    composed,
    identity,
    larger,
    leaky,
    scaled,
    shifted,
    stacked,
)

FLOATS = (1, 11)  # float and double
_NUMBERS = (*FLOATS, 2, 3, 4, 5, 6, 7, 10, 12, 13)  # and integers, and half precision


def _value(operand: Any) -> Affine:
    if not isinstance(operand, Affine):
        expected = "the inputs, or what is computed from them by layers"
        raise ValueError(f"an operand is {_described(operand)}, expected {expected}")
    return operand


def _described(operand: Any) -> str:
    if isinstance(operand, Source):
        return f"the inputs of shape {_shape_text(operand.shape)} and type {operand.kind}"
    names = {np.ndarray: "a constant", Affine: "no constant", Probabilities: "probabilities", Labels: "labels"}
    return "missing" if operand is None else names.get(type(operand), "something else")


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("samples" if size is None else str(size) for size in shape) + ")"


def _constant(operand: Any) -> Array:
    if not isinstance(operand, np.ndarray):
        raise ValueError(f"an operand is {_described(operand)}, expected a constant")
    return operand


def _numbers(operand: Any) -> Array:
    array = _constant(operand)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"an operand of type {array.dtype}, expected numbers")
    return array.astype(float)


def _weights(operand: Any) -> Array:
    weights = _numbers(operand)
    if weights.ndim != 2:
        raise ValueError(f"weights of shape {weights.shape}, expected 2 dimensions")
    return weights


def _columns(operand: Any, size: int) -> Array:
    """A constant that is added to, or multiplied with, rows of `size` columns: one number for each column."""
    array = _numbers(operand)
    if array.ndim > 2 or array.shape[:-1] not in ((), (1,)) or array.shape[-1:] not in ((), (1,), (size,)):
        raise ValueError(f"an operand of shape {array.shape}, expected one number or one for each of {size} columns")
    return np.broadcast_to(array.reshape(-1), (size,)).copy()


def _number(operand: Any, size: int) -> float:
    values = _columns(operand, size)
    if size == 0 or not (values == values[0]).all():
        raise ValueError("an operand with different numbers for the columns, expected the same for all")
    return float(values[0])


def _gemm(a: Any, b: Any, c: Any = None, *, alpha=1.0, beta=1.0, transA=0, transB=0) -> Affine:
    value, weights = _value(a), _weights(b)
    if transA:
        raise ValueError("transA, expected samples in rows")
    matrix = alpha * (weights if transB else weights.T)
    bias = np.zeros(len(matrix)) if c is None else beta * _columns(c, len(matrix))
    return composed(value, matrix, bias)


def _matmul(a: Any, b: Any) -> Affine:
    value, weights = _value(a), _weights(b)
    return composed(value, weights.T, np.zeros(weights.shape[1]))


def _add(a: Any, b: Any) -> Affine:
    if isinstance(a, np.ndarray):
        a, b = b, a
    return shifted(_value(a), _columns(b, a.size)) if isinstance(b, np.ndarray) else added(_value(a), _value(b))


def _sub(a: Any, b: Any) -> Affine | Probabilities:
    if isinstance(b, Probabilities):
        return _other_class(a, b)
    if isinstance(b, np.ndarray):
        return shifted(_value(a), -_columns(b, _value(a).size))
    if isinstance(a, np.ndarray):
        return shifted(scaled(_value(b), np.full(b.size, -1.0)), _columns(a, b.size))
    return added(_value(a), _value(b), -1)


def _mul(a: Any, b: Any) -> Affine:
    if isinstance(a, np.ndarray):
        a, b = b, a
    return scaled(_value(a), _columns(b, _value(a).size))


def _div(a: Any, b: Any) -> Affine:
    divisor = _columns(b, _value(a).size)
    if not divisor.all():
        raise ValueError("division by 0")
    return scaled(a, 1 / divisor)


def _neg(a: Any) -> Affine:
    return scaled(_value(a), np.full(_value(a).size, -1.0))


def _max(*operands: Any) -> Affine:
    value, other = _pair(operands)
    if isinstance(other, np.ndarray):
        return clamped(value, _number(other, value.size), np.inf)
    return larger(value, _value(other))


def _min(*operands: Any) -> Affine:
    value, other = _pair(operands)
    if isinstance(other, Affine) and (bounds := other.constants()) is not None:
        other = bounds
    return clamped(value, -np.inf, _number(other, value.size))


def _pair(operands: tuple[Any, ...]) -> tuple[Affine, Any]:
    if len(operands) != 2:
        raise ValueError(f"{len(operands)} operands, expected 2")
    first, second = operands
    return (_value(second), first) if isinstance(first, np.ndarray) else (_value(first), second)


def _clip(a: Any, low: Any = None, high: Any = None, *, min=None, max=None) -> Affine:
    """Bounds are operands, in old versions attributes; the largest single number stands for none there."""
    value, largest = _value(a), float(np.finfo(np.float32).max)
    least = -np.inf if low is None and min is None else _scalar(low) if min is None else min
    most = np.inf if high is None and max is None else _scalar(high) if max is None else max
    least, most = -np.inf if least <= -largest else least, np.inf if most >= largest else most
    return value if (least, most) == (-np.inf, np.inf) else clamped(value, least, most)


def _scalar(operand: Any) -> float:
    array = _numbers(operand)
    if array.shape not in ((), (1,)):
        raise ValueError(f"an operand of shape {array.shape}, expected one number")
    return float(array.reshape(()))


def _prelu(a: Any, slope: Any) -> Affine:
    return leaky(_value(a), _number(slope, _value(a).size))


def _concat(*operands: Any, axis: int) -> Affine | Probabilities:
    if axis not in (1, -1):
        raise ValueError(f"axis {axis}, expected 1, columns side by side")
    if len(operands) == 2 and all(isinstance(operand, Probabilities) for operand in operands):
        first, second = operands
        if first.scores is second.scores and (first.column, second.column) == (0, 1):
            return Probabilities(first.scores)
    return stacked([_value(operand) for operand in operands]) if len(operands) > 1 else _value(operands[0])


def _cast(a: Any, *, to: int, saturate=1, round_mode="up") -> Any:
    """Rounding is not followed: a network for single precision is one of doubles here."""
    if isinstance(a, Labels):
        return _cast_labels(a, to)
    if to not in FLOATS:
        raise ValueError(f"to type {to}, expected float or double")
    if isinstance(a, Source):
        return read_source(Source(a.inputs, a.shape, to))
    return _value(a)


def read_source(source: Source) -> Source | Affine:
    """Inputs as rows of numbers, where they are that."""
    if source.kind not in _NUMBERS:
        raise ValueError(f"the inputs have type {source.kind}, expected numbers")
    return identity(source.inputs) if source.kind in FLOATS and len(source.shape) == 2 else source


def _flatten(a: Any, *, axis=1) -> Any:
    shape = a.shape if isinstance(a, Source) else (None, _value(a).size)
    if axis not in (1, 1 - len(shape)):
        raise ValueError(f"axis {axis}, expected 1, which keeps samples apart")
    return read_source(Source(a.inputs, (shape[0], a.inputs.size), a.kind)) if isinstance(a, Source) else a


def _reshape(a: Any, shape: Any, *, allowzero=0) -> Any:
    """What keeps samples apart: (samples, columns), or a list of labels."""
    wanted = [int(size) for size in _constant(shape).reshape(-1)]
    if isinstance(a, Labels) and wanted == [-1]:
        return Labels(a.scores, a.names, "list")
    source = isinstance(a, Source)
    size, rows = (a.inputs.size, a.inputs.rows) if source else (_value(a).size, _rows(a))
    samples = [-1] + ([] if allowzero else [0]) + ([] if rows is None else [rows])
    columns = [size] + ([0] if not allowzero and not (source and len(a.shape) > 2) else [])
    spread = len(wanted) == 2 and wanted[1] == -1 and wanted[0] in samples[1:]
    if not spread and (len(wanted) != 2 or wanted[0] not in samples or wanted[1] not in columns):
        raise ValueError(f"to shape {wanted}, expected [-1, {size}], which keeps samples apart")
    return read_source(Source(a.inputs, (a.shape[0], size), a.kind)) if source else a


def _rows(value: Affine) -> int | None:
    base = value.base
    while not hasattr(base, "rows"):
        base = base.inputs if hasattr(base, "inputs") else base.argument.base  # type: ignore[union-attr]
    return base.rows  # type: ignore[union-attr]


def _identity(a: Any) -> Any:
    return a


def _dropout(a: Any, ratio: Any = None, training: Any = None, *, seed=None, **_: Any) -> Any:
    if training is not None and _constant(training).any():
        raise ValueError("training_mode, expected none")
    return a


def _scaler(a: Any, *, offset=(), scale=()) -> Affine:
    value = _value(_cast(a, to=FLOATS[0]))  # of whole numbers, too
    offset, scale = (_columns(np.array(given), value.size) for given in (offset, scale))
    return scaled(shifted(value, -offset), scale)


# ---- Classes


def _softmax(a: Any, *, axis=-1) -> Probabilities:
    if axis not in (1, -1):
        raise ValueError(f"axis {axis}, expected 1, over the classes")
    return Probabilities(_value(a))


def _sigmoid(a: Any) -> Probabilities:
    """Of one score z: the softmax of 0 and z, its second column."""
    value = _value(a)
    if value.size != 1:
        raise ValueError(f"of {value.size} values, expected one, the score of the second of two classes")
    return Probabilities(composed(value, np.array([[0.0], [1.0]]), np.zeros(2)), 1)


def _other_class(one: Any, second: Probabilities) -> Probabilities:
    if second.column != 1 or _number(one, 1) != 1:
        raise ValueError("probabilities, expected 1 - probability of the second of two classes")
    return Probabilities(second.scores, 0)


def _argmax(a: Any, *, axis=0, keepdims=1, select_last_index=0) -> Labels:
    if axis not in (1, -1) or select_last_index:
        raise ValueError(f"axis {axis}, select_last_index {select_last_index}, expected 1 and 0")
    if isinstance(a, Probabilities) and a.column is None:
        a = a.scores
    return Labels(_value(a), None, "column" if keepdims else "list")


def _positions(operand: Any) -> Labels:
    if not isinstance(operand, Labels) or operand.names is not None:
        raise ValueError("positions that are no ArgMax, expected one")
    return operand


def _gather(names: Any, positions: Any, *, axis=0) -> Labels:
    found = _positions(positions)
    if axis not in (0, -1):
        raise ValueError(f"axis {axis}, expected 0")
    return Labels(found.scores, _names(names, found.scores.size), found.shape)


def _extract(names: Any, positions: Any) -> Labels:
    found = _positions(positions)
    return Labels(found.scores, _names(names, found.scores.size), "row")


def _names(operand: Any, count: int) -> Array:
    names = _constant(operand)
    if names.shape != (count,):
        raise ValueError(f"names of shape {names.shape}, expected ({count},)")
    if names.dtype.kind not in "iuOSU":
        raise ValueError(f"names of type {names.dtype}, expected whole numbers or texts")
    return names


def _cast_labels(labels: Labels, to: int) -> Labels:
    kind = onnx_package().helper.tensor_dtype_to_np_dtype(to)
    names = np.arange(labels.scores.size) if labels.names is None else labels.names
    if kind.kind not in "iu" or names.dtype.kind not in "iu" or (names.astype(kind) != names).any():
        raise ValueError(f"labels of type {names.dtype} to type {to}, expected whole numbers that stay as they are")
    return labels if labels.names is None else Labels(labels.scores, names.astype(kind), labels.shape)


def _zip_map(a: Any, *, classlabels_int64s=(), classlabels_strings=()) -> ProbabilityMaps:
    if not isinstance(a, Probabilities) or a.column is not None:
        raise ValueError("an operand that is no probabilities of all classes, expected them")
    names = [name.decode() for name in classlabels_strings] or [str(name) for name in classlabels_int64s]
    if len(names) != a.scores.size:
        raise ValueError(f"{len(names)} names, expected {a.scores.size}")
    return ProbabilityMaps(a, names)


# By domain and name.
OPERATORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("", "Gemm"): _gemm,
    ("", "MatMul"): _matmul,
    ("", "Add"): _add,
    ("", "Sub"): _sub,
    ("", "Mul"): _mul,
    ("", "Div"): _div,
    ("", "Neg"): _neg,
    ("", "Relu"): lambda a: clamped(_value(a), 0.0, np.inf),
    ("", "Abs"): lambda a: activated(_value(a), "absolute"),
    ("", "LeakyRelu"): lambda a, *, alpha=0.01: leaky(_value(a), alpha),
    ("", "PRelu"): _prelu,
    ("", "Max"): _max,
    ("", "Min"): _min,
    ("", "Clip"): _clip,
    ("", "Concat"): _concat,
    ("", "Cast"): _cast,
    ("", "Flatten"): _flatten,
    ("", "Reshape"): _reshape,
    ("", "Identity"): _identity,
    ("", "Dropout"): _dropout,
    ("ai.onnx.ml", "Scaler"): _scaler,
    ("", "Softmax"): _softmax,
    ("", "Sigmoid"): _sigmoid,
    ("", "ArgMax"): _argmax,
    ("", "Gather"): _gather,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): _extract,
    ("ai.onnx.ml", "ZipMap"): _zip_map,
}
# Of constants alone.
FOLDED = ("Cast", "Concat", "ConstantOfShape", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
