"""1000 random models, a third of them classifications, through every format and back: exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from c_program import run_c
from models import ACTIVATIONS, activated, is_sequential, random_classifier, random_inputs, random_model, same

import relufit

MODELS = 1000


def models(count: int = MODELS) -> Iterator[relufit.Model]:
    for seed in range(count):
        yield random_classifier(seed // 3) if seed % 3 == 2 else random_model(seed)


def test_they_are_of_all_kinds() -> None:
    made = list(models())
    assert {len(model.layers) for model in made} == {1, 2, 3, 4}
    widths = {width for model in made for width in model.widths}
    assert widths == set(range(1, 51))
    links = {model.classification and model.classification.link for model in made}
    assert links == {None, "softmax", "logistic", "none"}
    assert {model.output_activation for model in made} == {"linear", "relu"}
    assert {(model.activation, model.activation_parameter) for model in made} == set(ACTIVATIONS)
    assert {(len(model.layers), model.skip_connections) for model in made} >= {(2, True), (4, True), (4, False)}


def test_json(tmp_path: Path) -> None:
    path = str(tmp_path / "model.json")
    for model in models():
        model.save(path)
        assert same(relufit.Model.load(path), model)


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    for number, model in enumerate(models()):
        proto = model.to_onnx(path if number < 50 else None, dtype="float64")
        assert same(relufit.from_onnx(path if number < 50 else proto), model.folded())


def test_torch() -> None:
    """Weights; names and classes are not PyTorch's."""
    pytest.importorskip("torch")
    for model in models():
        if not is_sequential(model):
            with pytest.raises(ValueError, match="skip connections|maxout"):
                model.to_torch()
            continue
        again, folded = relufit.from_torch(model.to_torch()), model.folded()
        assert again.output_activation == folded.output_activation and len(again.layers) == len(folded.layers)
        assert (again.activation, again.activation_parameter) == (folded.activation, folded.activation_parameter)
        for (weights, bias), (expected, shift) in zip(again.layers, folded.layers):
            assert np.array_equal(weights, expected) and np.array_equal(bias, shift)


def in_order(model: relufit.Model, inputs: np.ndarray) -> np.ndarray:
    """The function of a model with sums from left to right, as the C source has them."""
    offset, scale = model.input_scaling
    values = scaled = (inputs - offset) / scale
    for number, (weights, bias) in enumerate(model.layers, start=1):
        values = np.hstack([values, scaled]) if number > 1 and model.skip_connections else values
        sums = np.tile(bias, (len(values), 1))
        for column, value in zip(weights.T, values.T):
            sums += np.multiply.outer(value, column)
        if number < len(model.layers):
            values = activated(model, sums)
        else:
            values = np.where(sums < 0, 0, sums) if model.output_activation == "relu" else sums
    return model.target_scaling[0] + model.target_scaling[1] * values


def test_c(tmp_path: Path) -> None:
    """Outputs bit for bit, which needs every weight bit for bit: no contraction of products and sums."""
    made = list(models(100))
    inputs = [random_inputs(model, 3) for model in made]
    for first in range(0, len(made), 25):
        batch = slice(first, first + 25)
        found = run_c(made[batch], inputs[batch], tmp_path, "-O0", "-ffp-contract=off")
        for model, given, outputs in zip(made[batch], inputs[batch], found):
            np.testing.assert_array_equal(outputs, in_order(model, given))
