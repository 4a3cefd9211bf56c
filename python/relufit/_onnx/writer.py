"""A Model as a graph of Gemm and Relu."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._core import Classification, Model, version
from .shared import CATEGORIES, CLASSES, NAMES, OLDEST_OPSET, onnx_package

if TYPE_CHECKING:
    import onnx

_FIRST_IR = 4  # of files: before it constants had to be inputs as well


def to_onnx(
    model: Model,
    path: str | bytes | os.PathLike[Any] | None = None,
    dtype: str = "float32",
    opset: int = 13,
    scores: bool = False,
    bounds: ArrayLike | None = None,
) -> onnx.ModelProto:
    """The network as an ONNX model, which is returned and, with a path, written.

    One input "inputs" (samples, inputs) and one output "outputs" (samples, outputs), raw data both, of dtype "float32"
    or "float64"; nodes Gemm and Relu (other activations: Mul, Max, Min, Abs, for maxout two Gemm and Max; skip
    connections: Concat) of the given opset, at least 7. Scalings are folded into the layers; but in single precision
    the offsets of the inputs are subtracted first, since products of years or timestamps would lose what differs among
    them. The names of the columns are in the model's metadata, as JSON lists under relufit.input_names and
    relufit.target_names. Columns of text are inputs of 0 and 1, named column=text, for each of the texts that
    relufit.categories there has.

    A classification has more outputs: "outputs" are the scores, "probabilities" (samples, classes) their softmax (of
    one score z: that of 0 and z, which is the logistic function; none with the hinge loss), "label" (samples,) the
    names of the classes, as int64 where all names are whole numbers, else as text. Label and classes are in the
    metadata, as JSON under relufit.classification. With `scores` the graph ends at "outputs", of a classification too:
    optimization tools that embed networks read such graphs alone.

    `bounds` (inputs, 2) are the least and largest value of every input, finite: they are written beside the file, as
    FILE.bounds.json, where OMLT looks for them (load_onnx_neural_network_with_bounds). It needs a path.
    """
    box = None if bounds is None else _box(bounds, model, path)
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype: {dtype!r}, expected 'float32' or 'float64'")
    onnx = onnx_package()
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        expected = f"at least {OLDEST_OPSET}" if opset < OLDEST_OPSET else f"at most {newest}, the last that onnx knows"
        raise ValueError(f"opset: {opset}, expected {expected}")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT if dtype == "float32" else onnx.TensorProto.DOUBLE
    graph = _Graph(dtype, opset)
    _add_layers(model, graph)
    ends = [
        helper.make_tensor_value_info(name, kind, ["samples", size])
        for name, size in (("inputs", model.widths[0]), ("outputs", model.widths[-1]))
    ]
    if model.classification is not None and not scores:
        _add_classes(model.classification, graph, ends)
    opsets = [helper.make_opsetid("", opset)]
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "relufit", ends[:1], ends[1:], graph.constants),
        opset_imports=opsets,
        ir_version=max(_FIRST_IR, helper.find_min_ir_version_for(opsets)),
        producer_name="relufit",
        producer_version=version,
    )
    properties: dict[str, Any] = dict(zip(NAMES, (model.input_names, model.target_names)))
    if model.categories:
        properties[CATEGORIES] = model.categories
    if model.classification is not None:
        properties[CLASSES] = {key: getattr(model.classification, key) for key in ("label", "classes", "link")}
    helper.set_model_props(proto, {key: json.dumps(value) for key, value in properties.items()})
    onnx.checker.check_model(proto)
    if path is not None:
        onnx.save_model(proto, os.fsdecode(path))
        if box is not None:
            with open(f"{os.fsdecode(path)}.bounds.json", "w", encoding="utf-8") as file:
                json.dump(box, file)
    return proto


def _box(bounds: ArrayLike, model: Model, path: Any) -> list[dict[str, float]]:
    """As OMLT reads it."""
    if path is None:
        raise ValueError("bounds: given without a path, expected one that they are written beside")
    box = np.asarray(bounds, dtype=float)
    if box.shape != (model.widths[0], 2):
        raise ValueError(f"bounds: shape {box.shape}, expected {(model.widths[0], 2)}, least and largest of each input")
    for name, (lower, upper) in zip(model.input_names, box.tolist()):
        if not (np.isfinite([lower, upper]).all() and lower <= upper):
            raise ValueError(f"bounds: {lower} to {upper} of {name}, expected finite numbers, the lower one first")
    return [{"key": i, "lower_bound": low, "upper_bound": high} for i, (low, high) in enumerate(box.tolist())]


class _Graph:
    """Nodes, and the constants that they refer to by name."""

    def __init__(self, dtype: str, opset: int) -> None:
        self.dtype, self.opset = dtype, opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Named as its output: some readers tell nodes apart by their names."""
        self.nodes.append(onnx_package().helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: Any) -> str:
        """Numbers of the graph's type; ValueError where one does not fit it."""
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(values, dtype=self.dtype).reshape(np.shape(values))
        if not np.isfinite(array).all():
            raise ValueError(f"dtype: float32, but {name} has a value that does not fit it")
        return self.tensor(name, array)

    def tensor(self, name: str, array: np.ndarray) -> str:
        self.constants.append(onnx_package().numpy_helper.from_array(array, name))
        return name

    def affine(self, value: str, weights: np.ndarray, bias: np.ndarray, suffix: str, output: str) -> str:
        names = [self.constant(f"weights{suffix}", weights), self.constant(f"bias{suffix}", bias)]
        return self.gemm(value, names, output)

    def gemm(self, value: str, constants: list[str], output: str) -> str:
        """With all attributes: some readers know no defaults."""
        return self.node("Gemm", [value, *constants], output, alpha=1.0, beta=1.0, transA=0, transB=1)

    def bound(self, kind: str, value: str, bound: str, output: str) -> str:
        """Max or Min with a constant, which opset 7 wants in the shape of the value."""
        if self.opset < 8:
            zero = self.node("Sub", [value, value], f"{output}_zero")
            bound = self.node("Add", [zero, bound], f"{output}_bound")
        return self.node(kind, [value, bound], output)


def _add_layers(model: Model, graph: _Graph) -> None:
    """Nodes from "inputs" to "outputs"."""
    layers, inputs = _folded(model, graph)
    _add_activation_constants(model, graph)
    value = inputs
    for number, (weights, bias) in enumerate(layers, start=1):
        last = number == len(layers)
        activation = (model.activation if not last else model.output_activation).replace("linear", "")
        if number > 1 and model.skip_connections:
            value = graph.node("Concat", [value, inputs], f"seen{number}", axis=1)
        result = "outputs" if last else f"hidden{number}"
        if activation == "maxout":
            halves = zip("ab", np.split(weights, 2), np.split(bias, 2))
            parts = [graph.affine(value, w, b, f"{number}{half}", f"affine{number}{half}") for half, w, b in halves]
            value = graph.node("Max", parts, result)
        else:
            value = graph.affine(value, weights, bias, str(number), f"affine{number}" if activation else result)
            if activation:
                value = _add_activation(activation, graph, value, result)


def _folded(model: Model, graph: _Graph) -> tuple[list[tuple[np.ndarray, np.ndarray]], str]:
    """Layers on raw data, in single precision on data less the rounded offset, and the name of what they see."""
    offset, scale = model.input_scaling
    if graph.dtype == "float64" or not offset.any():
        return model.folded().layers, "inputs"
    name = graph.constant("offset", offset)
    remaining = Model(
        model.layers,
        model.output_activation,
        (offset - offset.astype(np.float32), scale),
        model.target_scaling,
        activation=model.activation,
        activation_parameter=model.activation_parameter,
        skip_connections=model.skip_connections,
    )
    return remaining.folded().layers, graph.node("Sub", ["inputs", name], "centered")


def _add_activation_constants(model: Model, graph: _Graph) -> None:
    """What the nodes of the hidden layers' activation refer to by name."""
    values: dict[str, dict[str, Any]] = {
        "leaky-relu": {"slope": model.activation_parameter},
        "clipped-relu": {"ceiling": model.activation_parameter},
        "hard-tanh": {"least": -1.0, "most": 1.0},
    }
    for name, value in values.get(model.activation, {}).items() if len(model.widths) > 2 else ():
        graph.constant(name, value)


def _add_activation(activation: str, graph: _Graph, source: str, result: str) -> str:
    """By nodes that keep double precision: the attributes of LeakyRelu are single, as is Clip in old opsets."""
    between = f"{result}_part"
    if activation == "leaky-relu":
        return graph.node("Max", [source, graph.node("Mul", [source, "slope"], between)], result)
    if activation == "absolute":
        return graph.node("Abs", [source], result)
    if activation == "clipped-relu":
        return graph.bound("Min", graph.node("Relu", [source], between), "ceiling", result)
    if activation == "hard-tanh":
        return graph.bound("Min", graph.bound("Max", source, "least", between), "most", result)
    return graph.node("Relu", [source], result)


def _add_classes(classification: Classification, graph: _Graph, ends: list) -> None:
    """From the scores "outputs" to probabilities and labels."""
    onnx = onnx_package()
    helper = onnx.helper
    scores, names = "outputs", classification.classes
    if classification.output_count == 1:  # 0 and the score, of which the classes are like others
        second = [graph.constant("second", [[0], [1]]), graph.constant("none", [0, 0])]
        scores = graph.gemm("outputs", second, "scores")
    if classification.link != "none":
        graph.node("Softmax", [scores], "probabilities", axis=1)
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(graph.dtype))
        ends.append(helper.make_tensor_value_info("probabilities", kind, ["samples", len(names)]))
    whole = all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names)
    graph.tensor("classes", np.array(names, dtype=object).astype(np.int64 if whole else object))
    graph.node("Gather", ["classes", graph.node("ArgMax", [scores], "class", axis=1, keepdims=0)], "label")
    kind = onnx.TensorProto.INT64 if whole else onnx.TensorProto.STRING
    ends.append(helper.make_tensor_value_info("label", kind, ["samples"]))
