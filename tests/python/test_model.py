"""Models: function, files, pickles, arrays without copies, refusals."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from models import forward, random_classifier, random_inputs, random_model, same

import relufit


def test_predict_is_the_definition(model: relufit.Model) -> None:
    inputs = random_inputs(model, 40)
    np.testing.assert_allclose(model.predict(inputs), forward(model, inputs), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(model.folded().predict(inputs), forward(model, inputs), rtol=1e-10, atol=1e-10)


def test_copies_are_exact() -> None:
    for seed in range(100):
        model = (random_model, random_classifier)[seed % 2](seed)
        assert same(pickle.loads(pickle.dumps(model)), model)
        assert same(copy.deepcopy(model), model)


def test_training_record_survives() -> None:
    inputs = np.linspace(-1, 1, 20).reshape(-1, 1)
    model = relufit.train(inputs, np.abs(inputs), [2], iterations=10, seed=3).model
    record = pickle.loads(pickle.dumps(model)).training
    assert (record.seed, record.samples, record.iterations) == (3, 20, 10)
    assert record.relative_residual == model.training.relative_residual > 0
    assert record.version == relufit.__version__


def test_arrays_of_a_model_are_views() -> None:
    model = random_model(4)
    weights = model.layers[0][0]
    assert weights.shape == (model.widths[1], model.widths[0])
    assert not weights.flags.writeable and not weights.flags.owndata
    assert np.shares_memory(weights, model.layers[0][0])
    expected = weights.copy()
    del model
    np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_any_array_is_accepted(layout: str, dtype: type) -> None:
    model = random_model(4)
    inputs = np.rint(10 * random_inputs(model, 9))
    given = np.asarray(inputs, dtype=dtype, order=layout)
    np.testing.assert_array_equal(model.predict(given), model.predict(inputs))
    np.testing.assert_array_equal(model.predict(given[::2]), model.predict(inputs[::2]))
    np.testing.assert_array_equal(model.predict(given.tolist()), model.predict(inputs))
    assert model.predict(given[:0]).shape == (0, model.widths[-1])


ONE = [(np.ones((1, 2)), np.zeros(1))]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"layers": []}, "network without layers"),
        ({"layers": [(np.ones((1, 2)), np.zeros(2))]}, r"layers\[0\].bias: 2 values, expected 1"),
        ({"layers": [(np.ones((1, 2)),)]}, r"layers\[0\]: expected a pair"),
        ({"layers": [(np.ones(2), np.zeros(1))]}, r"layers\[0\].weights: 1 dimensions, expected 2"),
        ({"layers": [(np.full((1, 2), np.nan), np.zeros(1))]}, r"layers\[0\].weights: a value is not finite"),
        ({"layers": [("text", np.zeros(1))]}, r"layers\[0\].weights: not an array of numbers"),
        ({"layers": ONE, "output_activation": "tanh"}, "'tanh' is not an output activation"),
        (
            {"layers": ONE, "input_scaling": (np.zeros(1), np.ones(1))},
            "input_scaling: 1 offsets and 1 scales, expected 2",
        ),
        ({"layers": ONE, "input_scaling": (np.zeros(2), [1.0, 0.0])}, "input_scaling: expected .* positive scales"),
        ({"layers": ONE, "output_activation": "relu", "target_scaling": ([1.0], [1.0])}, "expected offsets 0"),
        ({"layers": ONE, "input_names": ["a"]}, "input_names: 1 names, expected 2"),
    ],
)
def test_bad_models_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        relufit.Model(**arguments)


def test_bad_inputs_are_refused() -> None:
    model = relufit.Model(ONE)
    with pytest.raises(ValueError, match="inputs: 1 dimensions, expected 2"):
        model.predict([1.0, 2.0])
    with pytest.raises(ValueError, match="3 rows of model inputs, expected 2"):
        model.predict(np.ones((4, 3)))
    with pytest.raises(ValueError, match="inputs: not an array of numbers"):
        model.predict([["a", "b"]])


def test_bad_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    with pytest.raises(ValueError, match="model.json"):
        relufit.Model.load(str(path))
    relufit.Model(ONE).save(str(path))
    document = json.loads(path.read_text())
    del document["layers"]
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="layers: missing"):
        relufit.Model.load(str(path))
    with pytest.raises(RuntimeError, match="cannot be written"):
        relufit.Model(ONE).save(str(tmp_path / "nowhere" / "model.json"))
