"""ONNX files: every opset, what other programs write, and graphs that were taken for others."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import random_classifier, random_inputs, random_model, scaled_error
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import relufit

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
helper = onnx.helper


def run(proto: Any, inputs: np.ndarray) -> dict[str, Any]:
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (value,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {value.name: inputs})))


def chain(nodes: list, constants: dict[str, Any], columns: int = 3, opset: int = 13, dtype: type = np.float64) -> Any:
    """A graph from x (n, columns) to y."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    arrays = {name: np.asarray(value) for name, value in constants.items()}
    tensors = [
        onnx.numpy_helper.from_array(value.astype(dtype) if value.dtype.kind == "f" else value, name)
        for name, value in arrays.items()
    ]
    ends = [helper.make_tensor_value_info("x", kind, ["n", columns]), helper.make_tensor_value_info("y", kind, None)]
    made = helper.make_graph(nodes, "test", ends[:1], ends[1:], tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, ["" if name == "-" else name for name in inputs.split()], [output], **attributes)


RNG = np.random.default_rng(0)
W, V, B = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2)), RNG.standard_normal(4)
INPUTS = RNG.standard_normal((7, 3))


def check(proto: Any, inputs: np.ndarray = INPUTS) -> relufit.Model:
    model = relufit.from_onnx(proto)
    np.testing.assert_allclose(model.predict(inputs), run(proto, inputs)["y"], rtol=1e-12, atol=1e-12)
    return model


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("opset", [*range(7, 22), onnx.defs.onnx_opset_version()])
def test_every_opset_can_be_written(opset: int, dtype: str, tolerance: float) -> None:
    for seed in range(24):
        model = (random_model, random_classifier)[seed % 2](seed, widest=5)
        inputs = random_inputs(model, 10).astype(dtype)
        proto = model.to_onnx(dtype=dtype, opset=opset)
        again = relufit.from_onnx(proto)
        assert again.activation == model.activation or len(model.widths) == 2
        assert scaled_error(model, again.predict(inputs), model.predict(inputs)) <= tolerance
        if opset == 7 and dtype == "float64":  # onnxruntime has no maxima of doubles there
            from onnx.reference import ReferenceEvaluator

            outputs = ReferenceEvaluator(proto).run(["outputs"], {"inputs": inputs})[0]
        elif opset <= 21:
            outputs = run(proto, inputs)["outputs"]
        assert opset > 21 or scaled_error(model, outputs, model.predict(inputs)) <= tolerance  # runtimes are behind


def test_opsets_that_onnx_does_not_have_are_refused() -> None:
    newest = onnx.defs.onnx_opset_version()
    model = random_model(0)
    with pytest.raises(ValueError, match=f"opset: {newest + 1}, expected at most {newest}"):
        model.to_onnx(opset=newest + 1)
    proto = model.to_onnx()
    for opset in (6, newest + 1):
        proto.opset_import[0].version = opset
        with pytest.raises(ValueError, match=f"opset: {opset}, expected from 7 to {newest}"):
            relufit.from_onnx(proto)


def test_what_is_not_onnx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.onnx"
    path.write_bytes(b"no protobuf")
    with pytest.raises(ValueError, match="file.onnx': not an ONNX file"):
        relufit.from_onnx(path)


CHAINS = {
    "Clip from below": ([node("Gemm", "x W B", "a"), node("Clip", "a zero", "y")], 13),
    "Clip from above after Relu": (
        [node("Gemm", "x W B", "a"), node("Relu", "a", "r"), node("Clip", "r - six", "c"), node("MatMul", "c V", "y")],
        13,
    ),
    "Clip by attributes": (
        [node("Gemm", "x W B", "a"), node("Clip", "a", "c", min=0.0), node("MatMul", "c V", "y")],
        7,
    ),
    "Clip without bounds": ([node("Clip", "x", "c"), node("MatMul", "c W", "y")], 13),
    "hard tanh in two steps": (
        [
            node("MatMul", "x W", "a"),
            node("Min", "one a", "b"),
            node("Clip", "b minus", "c"),
            node("MatMul", "c V", "y"),
        ],
        13,
    ),
    "weights of constants": (
        [
            node("Identity", "Wt", "i"),
            node("Transpose", "i", "w", perm=[1, 0]),
            node("MatMul", "x w", "a"),
            node("Unsqueeze", "B axes", "u"),
            node("Squeeze", "u axes", "b"),
            node("Add", "a b", "y"),
        ],
        13,
    ),
    "bias of a shape": (
        [
            node("MatMul", "x W", "a"),
            node("ConstantOfShape", "four", "c"),
            node("Cast", "c", "d", to=11),
            node("Add", "d a", "y"),
        ],
        13,
    ),
    "casts and shapes": (
        [
            node("Cast", "x", "a", to=11),
            node("MatMul", "a W", "b"),
            node("Reshape", "b all", "c"),
            node("Cast", "c", "d", to=11),
            node("Flatten", "d", "y"),
        ],
        13,
    ),
    "a constant less the value": ([node("MatMul", "x W", "a"), node("Sub", "B a", "b"), node("Neg", "b", "y")], 13),
    "the inputs again": (
        [node("Gemm", "x W B", "a"), node("Relu", "a", "r"), node("MatMul", "r U", "b"), node("Add", "x b", "y")],
        13,
    ),
    "the inputs in front": (
        [
            node("Gemm", "x W B", "a"),
            node("Relu", "a", "r"),
            node("Concat", "x r", "c", axis=-1),
            node("MatMul", "c T", "y"),
        ],
        13,
    ),
    "another activation at the end": ([node("Gemm", "x W B", "a"), node("Abs", "a", "y")], 13),
}
CONSTANTS = {
    "W": W,
    "Wt": np.ascontiguousarray(W.T),
    "V": V,
    "B": B,
    "zero": np.array(0.0),
    "six": np.array(0.6),
    "one": np.array([1.0]),
    "minus": np.array(-1.0),
    "axes": np.array([0]),
    "four": np.array([4]),
    "all": np.array([-1, 4]),
    "U": RNG.standard_normal((4, 3)),
    "T": RNG.standard_normal((7, 2)),
    "m": np.array([1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_graphs_of_others(name: str) -> None:
    nodes, opset = CHAINS[name]
    used = {value for step in nodes for value in step.input}
    if name == "Clip by attributes":  # which onnxruntime has for single precision
        proto = chain(nodes, {key: CONSTANTS[key] for key in CONSTANTS if key in used}, opset=opset, dtype=np.float32)
        expected = run(proto, INPUTS.astype(np.float32))["y"]
        np.testing.assert_allclose(relufit.from_onnx(proto).predict(INPUTS), expected, rtol=1e-5, atol=1e-5)
        return
    check(chain(nodes, {key: CONSTANTS[key] for key in CONSTANTS if key in used}, opset=opset))


@pytest.mark.parametrize(
    "nodes, constants, message",
    [
        (
            [node("Gemm", "x W C", "y")],
            {"C": np.ones((7, 1))},
            r"\(Gemm\): an operand of shape \(7, 1\), expected one number",
        ),
        ([node("Add", "x C", "y")], {"C": np.ones((7, 1))}, r"\(Add\): an operand of shape \(7, 1\)"),
        ([node("Add", "x C", "y")], {"C": np.ones((1, 1, 3))}, r"\(Add\): an operand of shape \(1, 1, 3\)"),
        ([node("PRelu", "x C", "y")], {"C": np.ones((7, 1)) / 2}, r"\(PRelu\): an operand of shape \(7, 1\)"),
        ([node("Max", "x C", "y")], {"C": np.zeros((1, 1, 1))}, r"\(Max\): an operand of shape \(1, 1, 1\)"),
        ([node("MatMul", "x C", "y")], {"C": np.ones((1, 3, 2))}, r"\(MatMul\): weights of shape \(1, 3, 2\)"),
        ([node("Flatten", "x", "y", axis=0)], {}, r"\(Flatten\): axis 0, expected 1"),
        (
            [node("Reshape", "x C", "y")],
            {"C": np.array([-1, 1])},
            r"\(Reshape\): to shape \[-1, 1\], expected \[-1, 3\]",
        ),
        (
            [node("Cast", "x", "a", to=7), node("Cast", "a", "y", to=11)],
            {},
            r"node 'a' \(Cast\): to type 7, expected float",
        ),
        ([node("Div", "x C", "y")], {"C": np.array([1.0, 0.0, 2.0])}, r"\(Div\): division by 0"),
        ([node("Concat", "x x", "y", axis=0)], {}, r"\(Concat\): axis 0"),
        ([helper.make_node("Gemm", ["x", "W"], ["y"], domain="other")], {}, r"\(Gemm\): expected one of Gemm"),
    ],
)
def test_graphs_that_were_taken_for_others_are_refused(nodes: list, constants: dict, message: str) -> None:
    proto = chain(nodes, {"W": W, **constants})
    proto.opset_import.append(helper.make_opsetid("other", 1))
    with pytest.raises(ValueError, match=message):
        relufit.from_onnx(proto)


def test_dropout_in_training_is_refused() -> None:
    nodes = [node("Dropout", "x ratio training", "d"), node("MatMul", "d W", "y")]
    check(chain(nodes, {"W": W, "ratio": np.array(0.5), "training": np.array(False)}))
    with pytest.raises(ValueError, match="training_mode"):
        relufit.from_onnx(chain(nodes, {"W": W, "ratio": np.array(0.5), "training": np.array(True)}))


def test_offsets_of_the_inputs_are_a_scaling() -> None:
    """Folded into the bias they would be lost to the next export in single precision."""
    nodes = [node("Sub", "x m", "a"), node("Div", "a s", "b"), node("Gemm", "b W B", "c"), node("Relu", "c", "y")]
    model = check(chain(nodes, {"m": np.array([2000.0, 5.0, 0.0]), "s": np.array([3.0, 1.0, 2.0]), "W": W, "B": B}))
    np.testing.assert_array_equal(model.input_scaling[0], [2000, 5, 0])


# ---- skl2onnx


def fitted(estimator: Any, y: np.ndarray, X: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-10), (np.int64, 1e-4)])
@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("scaled", [False, True])
def test_regressions_of_scikit_learn(scaled: bool, activation: str, dtype: type, tolerance: float) -> None:
    convert = pytest.importorskip("skl2onnx").to_onnx
    X, _ = load_iris(return_X_y=True)
    X = (10 * X).astype(dtype)
    mlp = MLPRegressor(hidden_layer_sizes=(5, 3), activation=activation, max_iter=30, random_state=0)
    estimator = fitted(make_pipeline(StandardScaler(), mlp) if scaled else mlp, X[:, 0] / 10, X[:, 1:])
    proto = convert(estimator, X[:1, 1:])
    model = relufit.from_onnx(proto)
    (expected,) = run(proto, X[:, 1:]).values()
    np.testing.assert_allclose(model.predict(X[:, 1:]), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(model.predict(X[:, 1:])[:, 0], estimator.predict(X[:, 1:]), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("zipmap", [False, True])
@pytest.mark.parametrize("names", [[0, 1], [1, 5, 3], ["b", "a"], ["b", "a", "c"]])
def test_classifications_of_scikit_learn(
    names: list, zipmap: bool, scaled: bool, dtype: type, tolerance: float
) -> None:
    convert = pytest.importorskip("skl2onnx").to_onnx
    X, y = load_iris(return_X_y=True)
    X, y = X[y < len(names)].astype(dtype), np.array(names)[y[y < len(names)]]
    mlp = MLPClassifier(hidden_layer_sizes=(4,), max_iter=60, random_state=0)
    estimator = fitted(make_pipeline(StandardScaler(), mlp) if scaled else mlp, y, X)
    proto = convert(estimator, X[:1], options={"zipmap": zipmap})
    if zipmap and dtype is np.float64:  # not valid, and onnxruntime refuses it, too
        with pytest.raises(ValueError, match="ZipMap"):
            relufit.from_onnx(proto)
        return
    model = relufit.from_onnx(proto)
    labels, probabilities = run(proto, X).values()
    if zipmap:
        probabilities = np.array([[row[name] for name in sorted(names)] for row in probabilities])
    assert model.classification.classes == [str(name) for name in sorted(names)]
    np.testing.assert_allclose(model.predict_proba(X), probabilities, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(model.predict_labels(X), labels.astype(str))
    np.testing.assert_array_equal(model.predict_labels(X), estimator.predict(X).astype(str))


# ---- PyTorch


def exported(network: Any, inputs: Any, path: Path, dynamo: bool) -> Any:
    torch = pytest.importorskip("torch")
    if dynamo:
        pytest.importorskip("onnxscript")
        batch = torch.export.Dim("batch")
        torch.onnx.export(network, (inputs,), str(path), dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
    else:
        axes = {"x": {0: "batch"}}
        torch.onnx.export(network, (inputs,), str(path), dynamo=False, input_names=["x"], dynamic_axes=axes)
    return onnx.load_model(str(path))


def standardization(torch: Any) -> Any:
    class Standardization(torch.nn.Module):
        def forward(self, inputs: Any) -> Any:
            return (inputs - torch.tensor([1.0, 2.0, 3.0, 4.0])) / torch.tensor([1.0, 2.0, 0.5, 3.0])

    return Standardization()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("kind", ["ReLU", "LeakyReLU", "Hardtanh", "ReLU6", "no bias", "images", "dropout", "scaled"])
def test_networks_of_pytorch(kind: str, dynamo: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    activation = getattr(nn, kind, nn.ReLU)()
    modules = [nn.Linear(4, 5, bias=kind != "no bias"), activation, nn.Linear(5, 3), activation, nn.Linear(3, 2)]
    if kind == "dropout":
        modules.insert(2, nn.Dropout())
    if kind == "images":
        modules.insert(0, nn.Flatten())
    inputs = torch.randn(6, *((1, 2, 2) if kind == "images" else (4,)))
    if kind == "scaled":
        modules.insert(0, standardization(torch))
    network = nn.Sequential(*modules).eval()
    proto = exported(network, inputs, tmp_path / "network.onnx", dynamo)
    model = relufit.from_onnx(proto)
    with torch.no_grad():
        expected = network(inputs).numpy()
    np.testing.assert_allclose(model.predict(inputs.numpy().reshape(6, 4)), expected, rtol=1e-5, atol=1e-5)
