"""ONNX: a Model as a chain of Gemm and Relu, and back. The package onnx is imported only when used."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._core import Classification, Model, version

if TYPE_CHECKING:
    import onnx

_NAMES = ("relufit.input_names", "relufit.target_names")  # keys of the model's metadata
_CLASSES = "relufit.classification"


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ImportError("ONNX files need the package onnx: pip install 'relufit[onnx]'") from error
    return onnx


def to_onnx(
    model: Model, path: str | os.PathLike[str] | None = None, dtype: str = "float32", opset: int = 13
) -> onnx.ModelProto:
    """The network as an ONNX model, which is returned and, with a path, written.

    One input "inputs" (samples, inputs) and one output "outputs" (samples, outputs), raw data both, of dtype "float32"
    or "float64"; nodes Gemm and Relu (other activations: Mul, Max, Min, Abs, for maxout two Gemm and Max; skip connections: Concat) of the given
    opset, at least 7. Scalings are folded into the layers. The names of the columns are in the model's metadata, as JSON lists under relufit.input_names and
    relufit.target_names.

    A classification has more outputs: "outputs" are the scores, "probabilities" (samples, classes) their softmax (of one
    score z: that of 0 and z, which is the logistic function; none with the hinge loss), "label" (samples,) the names of
    the classes, as int64 where all names are whole numbers, else as text. Label and classes are in the metadata, as JSON
    under relufit.classification.
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype: {dtype!r}, expected 'float32' or 'float64'")
    if opset < 7:
        raise ValueError(f"opset: {opset}, expected at least 7")
    onnx = _onnx()
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT if dtype == "float32" else onnx.TensorProto.DOUBLE
    nodes, constants = _layers(model, dtype)
    ends = [
        helper.make_tensor_value_info(name, kind, ["samples", size])
        for name, size in (("inputs", model.widths[0]), ("outputs", model.widths[-1]))
    ]
    if model.classification is not None:
        _add_classes(model.classification, dtype, nodes, constants, ends)
    graph = helper.make_graph(nodes, "relufit", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", opset)]
    proto = helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="relufit",
        producer_version=version,
    )
    properties: dict[str, Any] = dict(zip(_NAMES, (model.input_names, model.target_names)))
    if model.classification is not None:
        properties[_CLASSES] = {key: getattr(model.classification, key) for key in ("label", "classes", "link")}
    helper.set_model_props(proto, {key: json.dumps(value) for key, value in properties.items()})
    onnx.checker.check_model(proto)
    if path is not None:
        onnx.save_model(proto, os.fspath(path))
    return proto


def _layers(model: Model, dtype: str) -> tuple[list, list]:
    """Nodes from "inputs" to "outputs", and their constants."""
    onnx = _onnx()
    nodes, constants, value = [], _activation_constants(model, dtype), "inputs"
    layers = model.folded().layers
    for number, (weights, bias) in enumerate(layers, start=1):
        last = number == len(layers)
        for name, array in ((f"weights{number}", weights), (f"bias{number}", bias)):
            with np.errstate(over="ignore"):
                constant = np.ascontiguousarray(array, dtype=dtype)
            if not np.isfinite(constant).all():
                raise ValueError(f"dtype: float32, but {name} has a value that does not fit it")
            constants.append(onnx.numpy_helper.from_array(constant, name))
        activation = (model.activation if not last else model.output_activation).replace("linear", "")
        affine = f"affine{number}" if activation else "outputs"
        if number > 1 and model.skip_connections:
            nodes.append(onnx.helper.make_node("Concat", [value, "inputs"], [f"seen{number}"], axis=1))
            value = f"seen{number}"
        if activation == "maxout":
            value = _maxout(nodes, constants, number, value)
            continue
        nodes.append(onnx.helper.make_node("Gemm", [value, f"weights{number}", f"bias{number}"], [affine], transB=1))
        value = affine
        if activation:
            value = "outputs" if last else f"hidden{number}"
            nodes += _activation_nodes(activation, affine, value)
    return nodes, constants


def _maxout(nodes: list, constants: list, number: int, value: str) -> str:
    """A layer by two affine maps and their maximum, its weights and biases being the last constants."""
    helper = _onnx().numpy_helper
    halves = [np.split(helper.to_array(constant), 2) for constant in constants[-2:]]
    del constants[-2:]
    for half, parts in zip("ab", zip(*halves)):
        names = [f"weights{number}{half}", f"bias{number}{half}"]
        constants += [helper.from_array(np.ascontiguousarray(part), name) for part, name in zip(parts, names)]
        nodes.append(_onnx().helper.make_node("Gemm", [value, *names], [f"affine{number}{half}"], transB=1))
    nodes.append(_onnx().helper.make_node("Max", [f"affine{number}a", f"affine{number}b"], [f"hidden{number}"]))
    return f"hidden{number}"


def _activation_constants(model: Model, dtype: str) -> list:
    """What the nodes of the hidden layers' activation refer to by name."""
    values: dict[str, dict[str, Any]] = {
        "leaky-relu": {"slope": model.activation_parameter},
        "clipped-relu": {"ceiling": model.activation_parameter},
        "hard-tanh": {"least": -1.0, "most": 1.0},
    }
    named = values.get(model.activation, {}) if len(model.widths) > 2 else {}
    return [_onnx().numpy_helper.from_array(np.array(value, dtype=dtype), name) for name, value in named.items()]


def _activation_nodes(activation: str, source: str, result: str) -> list:
    """By nodes that keep double precision: the attributes of LeakyRelu are single, as is Clip in old opsets."""
    node = _onnx().helper.make_node
    between = f"{result}_part"
    return {
        "relu": lambda: [node("Relu", [source], [result])],
        "leaky-relu": lambda: [node("Mul", [source, "slope"], [between]), node("Max", [source, between], [result])],
        "absolute": lambda: [node("Abs", [source], [result])],
        "clipped-relu": lambda: [node("Relu", [source], [between]), node("Min", [between, "ceiling"], [result])],
        "hard-tanh": lambda: [node("Max", [source, "least"], [between]), node("Min", [between, "most"], [result])],
    }[activation]()


def _add_classes(classification: Classification, dtype: str, nodes: list, constants: list, ends: list) -> None:
    """From the scores "outputs" to probabilities and labels."""
    onnx = _onnx()
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    scores, names = "outputs", classification.classes
    if classification.output_count == 1:  # 0 and the score, of which the classes are like others
        scores = "scores"
        constants.append(tensor(np.array([[0], [1]], dtype=dtype), "second"))
        constants.append(tensor(np.zeros(2, dtype=dtype), "none"))
        nodes.append(helper.make_node("Gemm", ["outputs", "second", "none"], [scores], transB=1))
    if classification.link != "none":
        nodes.append(helper.make_node("Softmax", [scores], ["probabilities"], axis=1))
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        ends.append(helper.make_tensor_value_info("probabilities", kind, ["samples", len(names)]))
    whole = all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names)
    constants.append(tensor(np.array(names, dtype=object).astype(np.int64 if whole else object), "classes"))
    nodes.append(helper.make_node("ArgMax", [scores], ["class"], axis=1, keepdims=0))
    nodes.append(helper.make_node("Gather", ["classes", "class"], ["label"]))
    kind = onnx.TensorProto.INT64 if whole else onnx.TensorProto.STRING
    ends.append(helper.make_tensor_value_info("label", kind, ["samples"]))


class _Chain:
    """Layers of a network, put together from the nodes that a value passes through one after the other."""

    def __init__(self, inputs: int) -> None:
        self.layers: list[tuple[np.ndarray, np.ndarray]] = []
        self.activations: list[tuple[str, float | None]] = []  # after them
        self.weights: np.ndarray | None = None  # affine map since the last Relu; None: none yet
        self.bias = np.zeros(inputs)
        self.inputs = inputs
        self.skips: list[int] = []  # layers before each of the places where the inputs are added to the value

    @property
    def size(self) -> int:
        return len(self.bias)

    def compose(self, weights: np.ndarray, bias: np.ndarray) -> None:
        if weights.ndim != 2 or weights.shape[1] != self.size:
            raise ValueError(f"weights of shape {weights.shape[::-1]}, expected {self.size} rows")
        first = self.weights is None and not self.bias.any()
        self.bias = bias.copy() if first else weights @ self.bias + bias
        self.weights = weights if self.weights is None else weights @ self.weights

    def elementwise(self, scale: np.ndarray, offset: np.ndarray) -> None:
        scale, offset = (np.broadcast_to(np.squeeze(value), (self.size,)) for value in (scale, offset))
        if not (scale == 1).all():
            self.weights = scale[:, np.newaxis] * (np.eye(self.size) if self.weights is None else self.weights)
        self.bias = scale * self.bias + offset

    def untouched(self) -> bool:
        return self.weights is None and not self.bias.any()

    def activate(self, name: str, parameter: float | None = None) -> None:
        if self.activations[-1:] == [("relu", None)] and name == "relu" and self.untouched():
            return  # a second Relu in a row
        self.close()
        self.bias = np.zeros(len(self.bias) // (2 if name == "maxout" else 1))
        self.activations.append((name, parameter))

    def at_least(self, value: float) -> None:
        """max(z, value): a Relu, or the first half of a hard tanh."""
        if value not in (0, -1):
            raise ValueError(f"maximum with {value}, expected 0 or -1")
        self.activate("relu" if value == 0 else "at least -1")

    def at_most(self, value: float) -> None:
        """min(z, value) after a Relu, or the second half of a hard tanh."""
        before = self.activations[-1][0] if self.activations and self.untouched() else "nothing"
        if before == "relu" and value > 0:
            self.activations[-1] = ("clipped-relu", value)
        elif before == "at least -1" and value == 1:
            self.activations[-1] = ("hard-tanh", None)
        else:
            raise ValueError(f"minimum with {value} after {before}, expected one after a Relu, or of 1 after -1")

    def see_inputs(self) -> None:
        if not self.layers or not self.untouched() or len(self.skips) >= len(self.layers):
            raise ValueError("the inputs are added elsewhere than right after an activation")
        self.skips.append(len(self.layers))
        self.bias = np.zeros(self.size + self.inputs)

    @property
    def skip_connections(self) -> bool:
        if self.skips not in ([], [*range(1, len(self.layers))]):
            raise ValueError("inputs: added to the values of some layers, expected of all or none")
        return bool(self.skips)

    def close(self) -> None:
        self.layers.append((np.eye(self.size) if self.weights is None else self.weights, self.bias))
        self.weights = None


def _gemm(chain: _Chain, attributes: dict[str, Any], weights: np.ndarray, bias: np.ndarray | None = None) -> None:
    if attributes.get("transA", 0):
        raise ValueError("transA, expected samples in rows")
    matrix = attributes.get("alpha", 1.0) * (weights if attributes.get("transB", 0) else weights.T)
    shift = np.zeros(len(matrix)) if bias is None else attributes.get("beta", 1.0) * np.squeeze(bias)
    chain.compose(matrix, np.broadcast_to(shift, (len(matrix),)))


def _number(value: np.ndarray) -> float:
    if np.size(value) != 1:
        raise ValueError(f"an operand of shape {np.shape(value)}, expected one number")
    return float(np.reshape(value, ()))


def _clip(chain: _Chain, attributes: dict[str, Any], *bounds: np.ndarray) -> None:
    least, most = (_number(value) for value in bounds) if len(bounds) == 2 else (
        attributes.get("min", -np.inf), attributes.get("max", np.inf)
    )  # fmt: skip
    chain.at_least(least)
    if np.isfinite(most):
        chain.at_most(most)


def _leaky(chain: _Chain, slope: float) -> None:
    chain.activate(*(("absolute", None) if slope == -1 else ("leaky-relu", slope)))


_NODES: dict[str, Callable[..., None]] = {
    "Gemm": _gemm,
    "MatMul": lambda chain, _, weights: chain.compose(weights.T, np.zeros(weights.shape[1])),
    "Add": lambda chain, _, value: chain.elementwise(np.ones(1), value),
    "Sub": lambda chain, _, value: chain.elementwise(np.ones(1), -value),
    "Mul": lambda chain, _, value: chain.elementwise(value, np.zeros(1)),
    "Div": lambda chain, _, value: chain.elementwise(1 / value, np.zeros(1)),
    "Relu": lambda chain, _: chain.activate("relu"),
    "Abs": lambda chain, _: chain.activate("absolute"),
    "LeakyRelu": lambda chain, attributes: _leaky(chain, attributes.get("alpha", 0.01)),
    "PRelu": lambda chain, _, slope: _leaky(chain, _number(slope)),
    "Max": lambda chain, _, value: chain.at_least(_number(value)),
    "Min": lambda chain, _, value: chain.at_most(_number(value)),
    "Clip": _clip,
    "Identity": lambda chain, _: None,
    "Dropout": lambda chain, _, *__: None,
    "Flatten": lambda chain, _: None,
}
_COMMUTES = ("Add", "Mul", "Max", "Min")  # the value may be the second operand


def from_onnx(path: str | os.PathLike[str] | onnx.ModelProto) -> Model:
    """A Model from an ONNX file (or a loaded model) that is a chain of Gemm, MatMul, Add and Relu.

    Hidden layers may have another activation in common: LeakyRelu (or PRelu with one slope), Abs, or Clip from 0 or from
    -1 to 1, also as maxima and minima with constants; or the maximum of two Gemm, for maxout. After all of them the inputs may be added by Concat, last.
    Add, Sub, Mul and Div with constants are taken into the neighbouring layers, and affine maps without a Relu between
    them are multiplied out. Samples are rows. Names of columns, and classes, are read where `to_onnx` wrote them.
    ValueError names the node that does not fit.
    """
    onnx = _onnx()
    proto = path if isinstance(path, onnx.ModelProto) else onnx.load_model(os.fspath(path))
    graph = proto.graph
    numeric = [tensor for tensor in graph.initializer if tensor.data_type != onnx.TensorProto.STRING]
    constants = {tensor.name: _array(tensor) for tensor in numeric}
    inputs = [value for value in graph.input if value.name not in constants]
    names = {entry.key: json.loads(entry.value) for entry in proto.metadata_props if entry.key in (*_NAMES, _CLASSES)}
    classes = names.get(_CLASSES)
    if len(inputs) != 1 or (len(graph.output) != 1 and classes is None):
        raise ValueError(f"{len(inputs)} inputs and {len(graph.output)} outputs, expected 1 and 1")
    chain = _Chain(_columns(inputs[0], graph, constants))
    value = inputs[0].name
    leaky = _leaky_parts(graph.node, constants)
    maxima = _maxima(graph.node, constants)
    halves = {name for pair in maxima.values() for name in pair}
    for node in graph.node:
        if classes is not None and value == graph.output[0].name:
            break  # what follows makes probabilities and labels of the scores
        if node.output[0] in leaky or node.output[0] in halves:
            continue
        if node.output[0] in maxima:
            parts = [_affine(pair, value, constants) for pair in maxima[node.output[0]].values()]
            chain.compose(*(np.concatenate(part) for part in zip(*parts)))
            chain.activate("maxout")
            value = node.output[0]
            continue
        if node.op_type == "Max" and {value, *leaky} >= set(node.input) and value in node.input:
            (part,) = set(node.input) - {value}
            _leaky(chain, leaky[part])
            value = node.output[0]
            continue
        if node.op_type == "Concat" and list(node.input) == [value, inputs[0].name]:
            chain.see_inputs()
            value = node.output[0]
            continue
        if node.op_type == "Constant":
            value_of = onnx.helper.get_attribute_value(node.attribute[0])
            tensor = isinstance(value_of, onnx.TensorProto)
            constants[node.output[0]] = _array(value_of) if tensor else np.asarray(value_of, dtype=float)
            continue
        value = _follow(chain, node, value, constants)
    if value != graph.output[0].name:
        raise ValueError(f"output {graph.output[0].name!r}: not at the end of the chain of nodes")
    activated = bool(chain.layers) and chain.untouched()
    if not activated:
        chain.close()
    elif chain.activations.pop() != ("relu", None):
        raise ValueError("outputs: after another activation than Relu, expected Relu or none")
    if len(set(chain.activations)) > 1:
        kinds = ", ".join(sorted(name for name, _ in set(chain.activations)))
        raise ValueError(f"activations of hidden layers: {kinds}, expected the same after all of them")
    activation, parameter = chain.activations[0] if chain.activations else ("relu", None)
    return Model(
        chain.layers,
        "relu" if activated else "linear",
        input_names=names.get(_NAMES[0]),
        target_names=names.get(_NAMES[1]),
        classification=None if classes is None else Classification(**classes),
        activation=activation,
        activation_parameter=parameter,
        skip_connections=chain.skip_connections,
    )


def _leaky_parts(nodes: Any, constants: dict[str, np.ndarray]) -> dict[str, float]:
    """The slopes c of the products c z that are only used in max(z, c z), by their names."""
    parts = {}
    for scaled, largest in zip(nodes, nodes[1:]):
        if scaled.op_type != "Mul" or largest.op_type != "Max" or len(largest.input) != 2:
            continue
        factor = [name for name in scaled.input if name in constants and constants[name].size == 1]
        if len(factor) == 1 and {*scaled.input, *scaled.output} - {*factor} == {*largest.input}:
            parts[scaled.output[0]] = _number(constants[factor[0]])
    return parts


def _maxima(nodes: Any, constants: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """The maxima of two Gemm nodes of one value, by their names: the nodes by theirs."""
    affine = {node.output[0]: node for node in nodes if node.op_type == "Gemm"}
    found = {}
    for node in nodes:
        pair = {name: affine[name] for name in node.input if name in affine}
        if node.op_type == "Max" and len(pair) == len(node.input) == 2:
            found[node.output[0]] = pair
    return found


def _affine(node: Any, value: str, constants: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias of a Gemm node."""
    part = _Chain(0)
    operands = [constants[name] for name in node.input[1:] if name in constants]
    if node.input[0] != value or len(operands) != len(node.input) - 1:
        raise ValueError(f"node {node.name or node.output[0]!r} (Gemm): expected {value!r} and constants")
    attributes = {attribute.name: _onnx().helper.get_attribute_value(attribute) for attribute in node.attribute}
    part.bias = np.zeros(operands[0].shape[1 if attributes.get("transB", 0) else 0])
    _gemm(part, attributes, *operands)
    assert part.weights is not None
    return part.weights, part.bias


def _array(tensor: onnx.TensorProto) -> np.ndarray:
    return _onnx().numpy_helper.to_array(tensor).astype(float)


def _columns(value: Any, graph: Any, constants: dict[str, np.ndarray]) -> int:
    """Columns of the input: as declared, else as many as the first weights have rows."""
    dimensions = value.type.tensor_type.shape.dim
    if len(dimensions) >= 2 and dimensions[-1].dim_value > 0:
        return int(np.prod([dimension.dim_value for dimension in dimensions[1:]]))
    for node in graph.node:
        if node.op_type in ("Gemm", "MatMul") and node.input[1] in constants:
            weights = constants[node.input[1]]
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            return weights.shape[1] if transposed else weights.shape[0]
    raise ValueError(f"input {value.name!r}: number of columns not known")


def _follow(chain: _Chain, node: Any, value: str, constants: dict[str, np.ndarray]) -> str:
    """Takes one node into the chain; returns the name of the value after it."""
    place = f"node {node.name or node.output[0]!r} ({node.op_type})"
    operands = list(node.input)
    if node.op_type in _COMMUTES and operands[-1] == value:
        operands.reverse()
    if node.op_type not in _NODES:
        raise ValueError(f"{place}: expected one of {', '.join(_NODES)}")
    if operands[0] != value:
        raise ValueError(f"{place}: its input is {operands[0]!r}, expected {value!r}, the value before it in a chain")
    missing = [name for name in operands[1:] if name and name not in constants]
    if missing:
        raise ValueError(f"{place}: {missing[0]!r} is not a constant")
    attributes = {attribute.name: _onnx().helper.get_attribute_value(attribute) for attribute in node.attribute}
    try:
        _NODES[node.op_type](chain, attributes, *(constants[name] for name in operands[1:] if name))
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    return node.output[0]
