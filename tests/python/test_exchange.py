"""Models as ONNX, C and PyTorch: agreement with predict, and round trips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_program import run_c
from models import is_sequential, random_classifier, random_inputs, random_model, scaled_error
from sklearn.datasets import load_iris, load_wine

import relufit
from relufit import ReluClassifier, ReluRegressor

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

SEEDS = range(200)


def run_onnx(proto: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (value,) = session.get_inputs()
    (result,) = session.run(None, {value.name: inputs})
    return result


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-6)])
def test_onnxruntime_agrees(dtype: str, tolerance: float) -> None:
    errors = []
    for seed in SEEDS:
        model = random_model(seed)
        inputs = random_inputs(model, 20).astype(dtype)
        outputs = run_onnx(model.to_onnx(dtype=dtype), inputs)
        assert outputs.dtype == dtype
        errors.append(scaled_error(model, outputs, model.predict(inputs)))
    assert max(errors) <= tolerance


def test_onnx_of_estimators(diabetes) -> None:
    """Raw data with means far from zero: what folding the scaling must not spoil."""
    inputs, targets = diabetes
    for estimator, y in (
        (ReluRegressor(max_iter=100, random_state=0), targets),
        (ReluRegressor(max_iter=100, random_state=0, output_activation="relu"), targets),
    ):
        model = estimator.fit(inputs, y).model_
        for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-6)):
            given = inputs.astype(dtype)
            outputs = run_onnx(model.to_onnx(dtype=dtype), given)
            assert scaled_error(model, outputs, model.predict(given)) <= tolerance


def run_classes(model: relufit.Model, inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = runtime.InferenceSession(
        model.to_onnx(dtype=inputs.dtype.name).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, {"inputs": inputs})))


def check_classes(model: relufit.Model, inputs: np.ndarray, tolerance: float) -> None:
    """Scores, probabilities and labels of onnxruntime against those of the model."""
    found = run_classes(model, inputs)
    expected = model.predict(inputs)
    assert scaled_error(model, found["outputs"], expected) <= tolerance
    assert ("probabilities" in found) == (model.classification.link != "none")
    if "probabilities" in found:
        assert found["probabilities"].dtype == inputs.dtype
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(inputs), rtol=0, atol=tolerance)
    # Where two classes are as probable but for rounding, either is right.
    ordered = np.sort(np.hstack([expected, np.zeros_like(expected)]) if expected.shape[1] == 1 else expected, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 1e-4 * np.abs(expected).max()
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(found["label"].astype(str)[clear], model.predict_labels(inputs)[clear])


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-6)])
def test_onnx_of_random_classifiers(dtype: str, tolerance: float) -> None:
    for seed in range(150):
        model = random_classifier(seed)
        check_classes(model, random_inputs(model, 20).astype(dtype), tolerance)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("data", ["iris", "wine"])
@pytest.mark.parametrize("loss", ["cross-entropy", "logistic", "hinge"])
def test_onnx_of_trained_classifiers(data: str, loss: str, dtype: str, tolerance: float) -> None:
    inputs, classes = {"iris": load_iris, "wine": load_wine}[data](return_X_y=True)
    kept = classes > 0 if loss == "logistic" else classes >= 0
    inputs, classes = inputs[kept], classes[kept]
    estimator = ReluClassifier(hidden=(5,), loss=loss, max_iter=60, random_state=0)
    given = inputs.astype(dtype)
    model = estimator.fit(inputs, classes).model_
    check_classes(model, given, tolerance)
    assert run_classes(model, given)["label"].dtype == np.int64
    named = estimator.fit(inputs, np.char.add("class \N{GREEK SMALL LETTER ALPHA} ", classes.astype(str))).model_
    check_classes(named, given, tolerance)
    assert relufit.from_onnx(named.to_onnx()).classification == named.classification


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "squared", "hidden": ()},
        {"loss": "exact", "max_iter": 3},
        {"loss": "absolute"},
        {"loss": "huber", "loss_parameter": 20.0},
        {"loss": "quantile", "loss_parameter": 0.7},
    ],
)
@pytest.mark.filterwarnings("ignore:No exact fit")
def test_onnx_of_every_loss(diabetes, options: dict) -> None:
    inputs, targets = diabetes
    model = ReluRegressor(**{"hidden": (5,), "max_iter": 60, "random_state": 0, **options}).fit(inputs, targets).model_
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-6)):
        given = inputs.astype(dtype)
        assert scaled_error(model, run_onnx(model.to_onnx(dtype=dtype), given), model.predict(given)) <= tolerance


def test_onnx_says_what_it_is() -> None:
    model = relufit.Model([(np.ones((1, 2)), np.zeros(1))], input_names=["a \N{GREEK SMALL LETTER ALPHA}", "b"])
    proto = model.to_onnx(opset=15)
    assert proto.opset_import[0].version == 15
    assert relufit.from_onnx(proto).input_names == model.input_names
    with pytest.raises(ValueError, match="dtype: 'float16'"):
        model.to_onnx(dtype="float16")
    with pytest.raises(ValueError, match="opset: 3, expected at least 7"):
        model.to_onnx(opset=3)
    with pytest.raises(ValueError, match="weights1 has a value that does not fit"):
        relufit.Model([(np.full((1, 1), 1e300), np.zeros(1))]).to_onnx()


def graph(nodes: list, constants: dict[str, np.ndarray], columns: int = 3, dtype: type = np.float64) -> onnx.ModelProto:
    """A model with input x and output y."""
    helper = onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    initializers = [onnx.numpy_helper.from_array(value.astype(dtype), name) for name, value in constants.items()]
    ends = [helper.make_tensor_value_info(name, kind, None) for name in "xy"]
    if columns:
        ends[0] = helper.make_tensor_value_info("x", kind, ["n", columns])
    made = helper.make_graph(nodes, "test", ends[:1], ends[1:], initializers)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def node(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return onnx.helper.make_node(kind, inputs.split(), [output], **attributes)


RNG = np.random.default_rng(0)
CONSTANTS = {
    "W": RNG.standard_normal((3, 4)),
    "V": RNG.standard_normal((2, 4)),
    "b": RNG.standard_normal(4),
    "c": RNG.standard_normal((1, 2)),
    "m": RNG.standard_normal(3),
    "s": np.array([0.5, 2.0, -4.0]),
    "two": np.array(2.0),
}
CHAINS = {
    "MatMul and Add": [node("MatMul", "x W", "a"), node("Add", "b a", "h"), node("Relu", "h", "r"),
                       node("Gemm", "r V c", "y", transB=1)],
    "factors": [node("Gemm", "x W b", "a", alpha=0.5, beta=-2.0), node("Relu", "a", "r"),
                node("Gemm", "r V", "y", transB=1)],
    "scaling before": [node("Sub", "x m", "d"), node("Div", "d s", "e"), node("MatMul", "e W", "a"),
                       node("Relu", "a", "y")],
    "scaling after": [node("MatMul", "x W", "a"), node("Relu", "a", "r"), node("Gemm", "r V c", "z", transB=1),
                      node("Mul", "two z", "y")],
    "scaling alone": [node("Mul", "x s", "d"), node("Add", "d m", "y")],
    "products without Relu": [node("Sub", "x m", "d"), node("MatMul", "d W", "a"), node("Add", "a b", "e"),
                              node("Gemm", "e V c", "y", transB=1)],
    "Relu of inputs": [node("Relu", "x", "r"), node("MatMul", "r W", "y")],
    "Relu twice": [node("MatMul", "x W", "a"), node("Relu", "a", "r"), node("Relu", "r", "q"),
                   node("Identity", "q", "y")],
    "Flatten": [node("Flatten", "x", "f", axis=1), node("MatMul", "f W", "y")],
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("columns", [3, 0])
def test_foreign_onnx_chains(name: str, columns: int) -> None:
    used = {value for step in CHAINS[name] for value in step.input}
    proto = graph(CHAINS[name], {key: value for key, value in CONSTANTS.items() if key in used}, columns)
    if columns == 0 and name == "scaling alone":
        with pytest.raises(ValueError, match="number of columns not known"):
            relufit.from_onnx(proto)
        return
    inputs = RNG.standard_normal((9, 3))
    expected = run_onnx(proto, inputs)
    np.testing.assert_allclose(relufit.from_onnx(proto).predict(inputs), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "nodes, message",
    [
        ([node("Tanh", "x", "y")], r"node 'y' \(Tanh\): expected one of Gemm"),
        ([node("Mul", "x x", "y")], r"node 'y' \(Mul\): an operand is no constant, expected a constant"),
        ([node("Relu", "x", "r"), node("Relu", "m", "q"), node("Add", "r q", "y")], r"\(Relu\): an operand is a con"),
        ([node("Relu", "x", "r"), node("Abs", "x", "q"), node("Add", "r q", "y")], "from different hidden layers"),
        ([node("Gemm", "x V", "y", transB=1)], r"node 'y' \(Gemm\): weights of shape .*, expected 3 rows"),
        ([node("Gemm", "x W", "y", transA=1)], r"transA, expected samples in rows"),
        ([node("Relu", "x", "z")], "output 'y' is not an output of any node"),
    ],
)
def test_other_onnx_graphs_are_refused(nodes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        relufit.from_onnx(graph(nodes, CONSTANTS))


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-6)])
def test_c_source_agrees(tmp_path: Path, dtype: str, tolerance: float) -> None:
    """Forty models in one strict C99 program, a part of them classifications, of which C computes the scores."""
    models = [(random_model, random_classifier)[seed % 2](seed) for seed in range(40)]
    inputs = [random_inputs(model, 5).astype(dtype) for model in models]
    for model, given, outputs in zip(models, inputs, run_c(models, inputs, tmp_path, "-O1")):
        assert scaled_error(model, outputs, model.predict(given)) <= tolerance


def test_c_source_allocates_nothing_and_includes_nothing() -> None:
    source = random_model(3).to_c(name="net")
    assert "#include" not in source and "malloc" not in source
    with pytest.raises(ValueError, match="name: 'a b' is not a name in C"):
        random_model(3).to_c(name="a b")
    with pytest.raises(ValueError, match="dtype: 'int8'"):
        random_model(3).to_c(dtype="int8")


def test_torch_agrees() -> None:
    """Of classifications, PyTorch has the scores."""
    torch = pytest.importorskip("torch")
    made = [(random_model, random_classifier)[seed % 2](seed) for seed in range(150)]
    made = [model for model in made if is_sequential(model)]
    assert len(made) > 80
    for model in made:
        for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-6)):
            inputs = random_inputs(model, 10).astype(dtype)
            with torch.no_grad():
                outputs = model.to_torch(getattr(torch, dtype))(torch.from_numpy(inputs)).numpy()
            assert scaled_error(model, outputs, model.predict(inputs)) <= tolerance
    single = relufit.from_torch(model.to_torch(torch.float32))
    assert all(np.array_equal(a, b.astype(np.float32)) for a, b in zip(single.layers[0], model.folded().layers[0]))


def test_other_torch_modules_are_refused() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = relufit.from_torch(nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Dropout(), nn.Linear(3, 1)))
    assert model.widths == [2, 3, 1] and not model.layers[0][1].any()
    for network, message in (
        (nn.Sequential(nn.Linear(2, 3), nn.Tanh()), "module 1: Tanh, expected Linear"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), "module 1: Linear after Linear"),
        (nn.Sequential(nn.ReLU()), "module 0: ReLU"),
        (nn.Sequential(), "no Linear module"),
    ):
        with pytest.raises(ValueError, match=message):
            relufit.from_torch(network)
