"""Single precision where inputs lie far from 0: years, pressures, timestamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_program import run_c
from models import random_model

import relufit

# Offset and scale of one column.
COLUMNS = {
    "years": (2000.123, 7.0),
    "pressures": (101325.0, 120.0),
    "kelvin": (293.15, 0.5),
    "milliseconds": (1.7e9 + 0.3, 3e3),
    "below zero": (-5e5 - 1 / 3, 11.0),
}
KINDS = [{}, {"skip_connections": True}] + [
    {"activation": name} for name in ("leaky-relu", "absolute", "clipped-relu", "hard-tanh", "maxout")
]


def far_model(kind: dict, columns: list[tuple[float, float]]) -> relufit.Model:
    """Two hidden layers of 6 units."""
    rng = np.random.default_rng(0)
    offset, scale = map(np.array, zip(*columns))
    more = len(columns) if kind.get("skip_connections") else 0
    rows = 12 if kind.get("activation") == "maxout" else 6
    shapes = [(rows, len(columns)), (rows, 6 + more), (2, 6 + more)]
    layers = [(rng.standard_normal(shape) / np.sqrt(shape[1]), rng.standard_normal(shape[0])) for shape in shapes]
    return relufit.Model(layers, input_scaling=(offset, scale), target_scaling=([3.0, -1.0], [2.0, 10.0]), **kind)


def far_inputs(model: relufit.Model) -> np.ndarray:
    offset, scale = model.input_scaling
    return (offset + scale * np.random.default_rng(1).standard_normal((50, len(offset)))).astype(np.float32)


def error(model: relufit.Model, inputs: np.ndarray, outputs: np.ndarray) -> float:
    """Largest difference relative to the largest value."""
    expected = model.predict(inputs)
    return float(np.max(np.abs(outputs - expected)) / np.abs(expected).max())


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("names", [*([name] for name in COLUMNS), [*COLUMNS]], ids=str)
def test_onnx_in_single_precision(names: list[str], kind: dict) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = far_model(kind, [COLUMNS[name] for name in names])
    inputs = far_inputs(model)
    proto = model.to_onnx()
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert error(model, inputs, session.run(["outputs"], {"inputs": inputs})[0]) < 5e-7
    again = relufit.from_onnx(proto)
    assert error(model, inputs, again.predict(inputs)) < 5e-7
    again = relufit.from_onnx(again.to_onnx())  # offsets are kept apart on the way back, too
    assert error(model, inputs, again.predict(inputs)) < 5e-7


def test_c_in_single_precision(tmp_path: Path) -> None:
    models = [far_model(kind, [*COLUMNS.values()]) for kind in KINDS]
    inputs = [far_inputs(model) for model in models]
    for model, given, outputs in zip(models, inputs, run_c(models, inputs, tmp_path, "-O1")):
        assert error(model, given, outputs) < 5e-7


def test_double_precision_has_no_other_operations() -> None:
    pytest.importorskip("onnx")
    for seed in range(20):
        nodes = random_model(seed).to_onnx(dtype="float64").graph.node
        assert "Sub" not in {node.op_type for node in nodes}


def test_an_offset_that_does_not_fit_single_precision_is_refused() -> None:
    pytest.importorskip("onnx")
    model = relufit.Model([(np.ones((1, 1)), np.zeros(1))], input_scaling=([1e300], [1.0]))
    with pytest.raises(ValueError, match="dtype: float32, but offset has a value that does not fit it"):
        model.to_onnx()
    with pytest.raises(ValueError, match="input_offset: 1e.300 does not fit single precision"):
        model.to_c(dtype="float32")
