"""Random ONNX graphs: what `from_onnx` accepts computes what onnxruntime computes; anything else is a ValueError."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import relufit

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
hypothesis = pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, note, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

runtime.set_default_logger_severity(4)
EXAMPLES = int(os.environ.get("RELUFIT_ONNX_EXAMPLES", 400))
SAMPLES = 3  # constants may have as many rows
helper, to_tensor = onnx.helper, onnx.numpy_helper.from_array
found: Counter[str] = Counter()


@dataclass
class Graph:
    """A graph that grows by one node at a time; `width` is what the columns of the last value should be."""

    draw: Any
    dtype: type
    opset: int
    width: int
    value: str = "x"
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)  # roles by name
    values: list[tuple[str, int]] = field(default_factory=list)

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def rarely(self) -> bool:
        return self.draw(st.integers(0, 14)) == 14

    def name(self) -> str:
        return f"t{len(self.nodes)}_{len(self.constants)}"

    def tensor(self, array: np.ndarray) -> str:
        name = self.name()
        self.constants.append(to_tensor(array, name))
        return name

    def node(self, kind: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        name = self.name()
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def numbers(self, shape: tuple[int, ...]) -> np.ndarray:
        if self.pick(False, False, False, True):
            return np.full(shape, self.pick(-1.0, 0.0, 0.5, 1.0, 2.0), self.dtype)
        seed = self.draw(st.integers(0, 10**6))
        return np.random.default_rng(seed).uniform(-2, 2, shape).astype(self.dtype)

    def row_shape(self, columns: int) -> tuple[int, ...]:
        usual = [(), (1,), (columns,), (columns,), (1, columns), (1, 1)]
        odd = [(SAMPLES, 1), (SAMPLES, columns), (columns, 1), (1, 1, columns), (1, 1, 1), (SAMPLES,), (2, columns)]
        return self.pick(*odd, (0,)) if self.rarely() else self.pick(*usual)

    def constant(self, shape: tuple[int, ...]) -> str:
        """A constant, sometimes as the result of nodes."""
        array = self.numbers(shape)
        ways = ("node", "identity", "transpose", "cast", "reshape", "unsqueeze", "fill")
        way = self.pick("plain", "plain", "plain", *ways)
        if way == "node":
            return self.node("Constant", [], value=to_tensor(array, "value"))
        if way == "transpose":
            return self.node("Transpose", [self.tensor(np.ascontiguousarray(array.T))])
        if way == "cast":
            other = self.tensor(array.astype(self.pick(np.float32, np.float64)))
            return self.node("Cast", [other], to=helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype)))
        if way == "reshape":
            return self.node("Reshape", [self.tensor(array.reshape(-1)), self.tensor(np.array(shape, np.int64))])
        if way == "unsqueeze" and self.opset < 13:
            return self.node("Squeeze", [self.node("Unsqueeze", [self.tensor(array)], axes=[0])], axes=[0])
        if way == "unsqueeze":
            axes = self.tensor(np.array([0]))
            return self.node("Squeeze", [self.node("Unsqueeze", [self.tensor(array), axes]), axes])
        if way == "fill" and self.opset >= 9:
            value = to_tensor(np.array([self.pick(-1, 0, 1, 2)], self.dtype), "value")
            return self.node("ConstantOfShape", [self.tensor(np.array(shape, np.int64))], value=value)
        return self.node("Identity", [self.tensor(array)]) if way == "identity" else self.tensor(array)


def add_gemm(graph: Graph) -> None:
    after = graph.pick(1, 2, 3)
    transposed = graph.pick(0, 1)
    before = graph.width + 1 if graph.rarely() else graph.width
    attributes = {name: graph.pick(0.5, -2.0, 1.0) for name in ("alpha", "beta") if graph.rarely()}
    operands = [graph.value, graph.constant((after, before) if transposed else (before, after))]
    if graph.opset < 11 or graph.pick(True, True, False):
        operands.append(graph.constant(graph.row_shape(after)))
    if graph.rarely():
        attributes["transA"] = graph.pick(0, 1)
    graph.value, graph.width = graph.node("Gemm", operands, transB=transposed, **attributes), after


def add_matmul(graph: Graph) -> None:
    after = graph.pick(1, 2, 3)
    shape = graph.pick((graph.width,), (1, graph.width, after), (after, graph.width)) if graph.rarely() else None
    graph.value = graph.node("MatMul", [graph.value, graph.constant(shape or (graph.width, after))])
    graph.width = after


def add_arithmetic(graph: Graph) -> None:
    kind = graph.pick("Add", "Sub", "Mul", "Div", "Max", "Min")
    operands = [graph.value, graph.constant(graph.row_shape(graph.width))]
    if graph.values and graph.rarely():
        operands[1] = graph.pick(*graph.values)[0]
    graph.value = graph.node(kind, operands[::-1] if graph.pick(False, True) else operands)


def add_unary(graph: Graph) -> None:
    kind = graph.pick("Relu", "Relu", "Relu", "Abs", "LeakyRelu", "Neg", "Identity", "Dropout", "Tanh")
    attributes = {"alpha": graph.pick(-1.0, 0.0, 0.3, 2.0)} if kind == "LeakyRelu" and graph.pick(True, False) else {}
    graph.value = graph.node(kind, [graph.value], **attributes)


def add_clip(graph: Graph) -> None:
    bounds = [graph.pick(None, -1.0, 0.0, 1.0, 6.0), graph.pick(None, 1.0, 2.0, 0.0)]
    if graph.opset < 11:
        given_bounds = {name: bound for name, bound in zip(("min", "max"), bounds) if bound is not None}
        graph.value = graph.node("Clip", [graph.value], **given_bounds)
        return
    shape = graph.pick((), (), (1,)) if graph.rarely() else ()
    names = ["" if bound is None else graph.tensor(np.full(shape, bound, graph.dtype)) for bound in bounds]
    graph.value = graph.node("Clip", [graph.value, *names])


def add_prelu(graph: Graph) -> None:
    graph.value = graph.node("PRelu", [graph.value, graph.constant(graph.row_shape(graph.width))])


def add_shape(graph: Graph) -> None:
    if graph.pick(True, False):
        graph.value = graph.node("Flatten", [graph.value], axis=graph.pick(1, 1, 1, 0, 2))
        return
    usual = [[-1, graph.width], [0, graph.width], [0, -1]]
    odd = [[graph.width, -1], [-1, 1], [-1], [SAMPLES, graph.width], [1, -1], [0, 0]]
    shapes = odd if graph.rarely() else usual
    zero = {"allowzero": 1} if graph.opset >= 14 and graph.rarely() else {}
    graph.value = graph.node("Reshape", [graph.value, graph.tensor(np.array(graph.pick(*shapes)))], **zero)


def add_cast(graph: Graph) -> None:
    own = helper.np_dtype_to_tensor_dtype(np.dtype(graph.dtype))
    graph.value = graph.node("Cast", [graph.value], to=graph.pick(6, 7, 1, 11) if graph.rarely() else own)


def add_concat(graph: Graph) -> None:
    other, width = graph.pick(*graph.values)
    axis = graph.pick(0, -1) if graph.rarely() else 1
    order = graph.pick([graph.value, other], [graph.value, other], [other, graph.value])
    graph.value, graph.width = graph.node("Concat", order, axis=axis), graph.width + width


def add_leaky(graph: Graph) -> None:
    product = graph.node("Mul", [graph.value, graph.constant(graph.pick((), (1,), (graph.width,)))])
    graph.value = graph.node("Max", graph.pick([graph.value, product], [product, graph.value]))


def add_maxout(graph: Graph) -> None:
    shape, bias = (graph.width, 2), graph.constant(graph.row_shape(2))
    parts = [graph.node("Gemm", [graph.value, graph.constant(shape), bias]) for _ in range(2)]
    graph.value, graph.width = graph.node("Max", parts), 2


def add_scaler(graph: Graph) -> None:
    size = graph.pick(1, graph.width, graph.width, 2)
    numbers = {name: graph.numbers((size,)).astype(float).tolist() for name in ("offset", "scale")}
    graph.value = graph.node("Scaler", [graph.value], domain="ai.onnx.ml", **numbers)


STEPS = (add_gemm, add_gemm, add_gemm, add_matmul, add_arithmetic, add_arithmetic, add_unary, add_unary, add_clip,
         add_prelu, add_shape, add_cast, add_concat, add_leaky, add_maxout, add_scaler)  # fmt: skip


def add_classes(graph: Graph) -> None:
    """Softmax or the Sigmoid of one score, and labels; mostly as they should be."""
    scores = graph.value
    if graph.width == 1:
        second = graph.node("Sigmoid", [scores])
        first = graph.node("Sub", [graph.tensor(np.array(graph.pick(1.0, 1.0, 1.0, 2.0), graph.dtype)), second])
        pair = [second, first] if graph.rarely() else [first, second]
        probabilities = graph.node("Concat", pair, axis=1)
    else:
        axis = {"axis": graph.pick(0, -1)} if graph.rarely() else {"axis": 1}
        probabilities = graph.node("Softmax", [scores], **axis)
    classes = max(graph.width, 2)
    ranked = probabilities if graph.width == 1 else graph.pick(probabilities, scores)
    attributes = {"axis": 0} if graph.rarely() else {"axis": 1}
    if graph.opset >= 12 and graph.rarely():
        attributes["select_last_index"] = 1
    keep = graph.pick(0, 1)
    label = graph.node("ArgMax", [ranked], keepdims=keep, **attributes)
    names = np.array(graph.pick([3, 1, 2], [0, 1, 2], ["c", "a", "b"])[:classes])
    names = names.astype(object) if names.dtype.kind == "U" else names
    how = graph.pick("gather", "extract", "positions")
    if how == "gather":
        label = graph.node("Gather", [graph.tensor(names), label])
    elif how == "extract":
        label = graph.node("ArrayFeatureExtractor", [graph.tensor(names), label], domain="ai.onnx.ml")
    if (keep or how == "extract") and not graph.rarely():
        label = graph.node("Reshape", [label, graph.tensor(np.array([-1]))])
    graph.outputs = {label: "label"}
    if graph.pick(True, True, False):
        graph.outputs[probabilities] = "probabilities"
    if graph.pick(True, False):
        graph.outputs[scores] = "scores"


@st.composite
def graphs(draw: Any) -> tuple[Any, ...]:
    """A model, the shape of its input with None for any number of samples, the roles of its outputs, the types of its
    input and of its constants."""
    dtype, opset = draw(st.sampled_from([np.float32, np.float64])), draw(st.sampled_from([7, 8, 9, 11, 12, 13, 18]))
    columns = draw(st.integers(1, 3))
    graph = Graph(draw, dtype, opset, columns)
    shape: list[Any] = [graph.pick(None, None, 1, SAMPLES) if graph.rarely() else None, columns]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    given_kind = graph.pick(1, 11, 7) if graph.rarely() else kind
    if graph.rarely():
        shape = [shape[0], *graph.pick((columns, 1), (1, columns, 1))]
        graph.value = graph.node("Flatten", ["x"]) if graph.pick(True, True, False) else "x"
    if given_kind != kind and not graph.rarely():
        graph.value = graph.node("Cast", [graph.value], to=kind)
    for _ in range(draw(st.integers(1, 6))):
        graph.values.append((graph.value, graph.width))
        graph.pick(*STEPS)(graph)
    graph.outputs = {graph.value: "scores"}
    if graph.pick(False, False, False, True):
        add_classes(graph)
    declared = None if graph.rarely() else [size or "n" for size in shape]
    if declared is not None and graph.rarely():
        declared[1] = None
    ends = [helper.make_tensor_value_info("x", given_kind, declared)]
    kinds = {"scores": kind, "probabilities": kind, "label": 7}
    texts = any(tensor.data_type == onnx.TensorProto.STRING for tensor in graph.constants)
    for name, role in graph.outputs.items():
        of_label = onnx.TensorProto.STRING if role == "label" and texts else kinds[role]
        ends.append(helper.make_tensor_value_info(name, of_label, None))
    made = helper.make_graph(graph.nodes, "random", ends[:1], ends[1:], graph.constants)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)]
    proto = helper.make_model(made, opset_imports=opsets, ir_version=8)
    return proto, tuple(shape), graph.outputs, helper.tensor_dtype_to_np_dtype(given_kind).type, dtype


def computed(proto: Any, inputs: np.ndarray) -> list[np.ndarray]:
    """By onnxruntime; by ONNX' own evaluation where it lacks an operator, such as Clip of doubles in old opsets.

    Without optimizations, some of which are wrong: that of Relu and Clip refuses doubles.
    """
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = runtime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": inputs})
    except Exception as error:
        if "NOT_IMPLEMENTED" not in str(error) and "NotImplemented" not in type(error).__name__:
            raise AssertionError(f"accepted, but onnxruntime refuses it: {error}") from error
    from onnx.reference import ReferenceEvaluator

    found["by ONNX itself"] += 1
    return ReferenceEvaluator(proto).run(None, {"x": inputs})


def check(model: relufit.Model, proto: Any, roles: dict[str, str], inputs: np.ndarray, tolerance: float) -> None:
    raw = inputs.reshape(len(inputs), -1).astype(float)
    scores = model.predict(raw)
    for role, output in zip(roles.values(), computed(proto, inputs)):
        if role == "label":
            both = np.hstack([scores, np.zeros_like(scores)]) if scores.shape[1] == 1 else scores
            ordered = np.sort(both, axis=1)
            clear = ordered[:, -1] - ordered[:, -2] > 1e-3 * (1 + np.abs(both).max())
            assert output.shape == (len(raw),)
            np.testing.assert_array_equal(output.astype(str)[clear], model.predict_labels(raw)[clear])
            continue
        expected = scores if role == "scores" else model.predict_proba(raw)
        assert output.shape == expected.shape
        size = 1 + np.abs(expected).max(initial=0)
        np.testing.assert_allclose(output, expected, rtol=0, atol=tolerance * size)


@settings(max_examples=EXAMPLES, derandomize="RELUFIT_ONNX_EXAMPLES" not in os.environ, deadline=None, database=None,
          suppress_health_check=list(HealthCheck), report_multiple_bugs=False)  # fmt: skip
@given(graphs())
def try_graph(drawn: tuple) -> None:
    proto, shape, roles, kind, dtype = drawn
    note(onnx.printer.to_text(proto))
    try:
        model = relufit.from_onnx(proto)
    except ValueError as error:
        assert "\n" not in str(error)
        found["refused"] += 1
        return
    found["accepted, with labels" if len(roles) > 1 or "label" in roles.values() else "accepted"] += 1
    casts = [entry.i for node in proto.graph.node if node.op_type == "Cast" for entry in node.attribute]
    scaler = any(node.op_type == "Scaler" for node in proto.graph.node)  # whose results are of single precision
    tolerance = 1e-9 if dtype is np.float64 and onnx.TensorProto.FLOAT not in casts and not scaler else 1e-3
    declared = proto.graph.input[0].type.tensor_type.shape.dim
    if len(declared) < 2 or not declared[1].dim_value:
        shape = (shape[0], model.widths[0])
    for samples in (SAMPLES, 1, 5) if shape[0] is None else (shape[0],):
        rng = np.random.default_rng(samples)
        inputs = np.rint(3 * rng.standard_normal((samples, *shape[1:]))) if kind == np.int64 else None
        inputs = rng.standard_normal((samples, *shape[1:])) if inputs is None else inputs
        check(model, proto, roles, inputs.astype(kind), tolerance)


def test_what_is_accepted_is_equal() -> None:
    """A share of the graphs must be accepted, and another refused: else nothing would be tested."""
    found.clear()
    try_graph()
    print(dict(found))
    accepted = found["accepted"] + found["accepted, with labels"]
    assert accepted > 0.2 * EXAMPLES and found["accepted, with labels"] > 5 and found["refused"] > 0.1 * EXAMPLES
