"""From a graph to a Model."""

from __future__ import annotations

import inspect
import json
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import Model
from .networks import model_of
from .operators import FOLDED, OPERATORS, read_source
from .shared import CATEGORIES, CLASSES, NAMES, OLDEST_OPSET, onnx_package
from .values import Affine, Array, Inputs, Source

if TYPE_CHECKING:
    import onnx


def from_onnx(path: str | bytes | os.PathLike[Any] | onnx.ModelProto) -> Model:
    """A Model from an ONNX file (or a loaded model) that computes what a Model can.

    Layers are Gemm, MatMul, Add, Sub, Mul, Div and Neg with constants; affine maps without an activation between them
    are multiplied out. Hidden layers are followed by Relu, or all by another activation: LeakyRelu (or PRelu with one
    slope), Abs, Clip from 0 or from -1 to 1, also as maxima and minima with constants, or the maximum of two affine
    maps (maxout). Concat and sums may bring the inputs to later layers. Samples are rows; what mixes them is refused.
    Constants may be the results of Cast, Reshape, Transpose and the like. Numbers are read as doubles, and an offset
    that is subtracted from the inputs is the model's input scaling.

    A classification ends in Softmax, in the Sigmoid of one score or in neither, and in an ArgMax with names of the
    classes, as `to_onnx` and skl2onnx write them. Names of columns are read where `to_onnx` wrote them.

    What is accepted computes what the graph does; anything else is a ValueError that names the node.
    """
    onnx = onnx_package()
    proto = path if isinstance(path, onnx.ModelProto) else _loaded(os.fsdecode(path))
    _check(proto)
    values = _evaluated(proto)
    for output in proto.graph.output:
        if output.name not in values:
            raise ValueError(f"output {output.name!r}: the result of no node")
    _check_types(proto)
    return model_of([values[output.name] for output in proto.graph.output], _metadata(proto))


def _loaded(path: str) -> onnx.ModelProto:
    onnx = onnx_package()
    try:
        return onnx.load_model(path)
    except (OSError, ValueError):
        raise
    except Exception as error:  # of protobuf, which has different ones
        raise ValueError(f"{path!r}: not an ONNX file: {' '.join(str(error).split())}") from None


def _check(proto: onnx.ModelProto) -> None:
    """Versions, operators, their operands and attributes, as ONNX has them."""
    onnx = onnx_package()
    opset = max((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if not OLDEST_OPSET <= opset <= onnx.defs.onnx_opset_version():
        newest = onnx.defs.onnx_opset_version()
        raise ValueError(f"opset: {opset}, expected from {OLDEST_OPSET} to {newest} (with onnx {onnx.__version__})")
    checked = onnx.ModelProto()
    checked.CopyFrom(proto)
    for end in (*checked.graph.input, *checked.graph.output):
        if end.type.WhichOneof("value") == "tensor_type":
            end.type.tensor_type.shape.SetInParent()  # shapes may be left out, but not for the checker
    try:
        onnx.checker.check_model(checked)
    except onnx.checker.ValidationError as error:
        raise ValueError(f"not a valid ONNX model: {' '.join(str(error).split())}") from None
    if proto.graph.sparse_initializer:
        raise ValueError(f"initializer {proto.graph.sparse_initializer[0].values.name!r}: sparse, expected dense ones")


def _check_types(proto: onnx.ModelProto) -> None:
    """Types and shapes of all operands. After the evaluation, whose messages say more."""
    inference = onnx_package().shape_inference
    try:
        inference.infer_shapes(proto, check_type=True, strict_mode=True)
    except inference.InferenceError as error:
        raise ValueError(f"not a valid ONNX model: {' '.join(str(error).split())}") from None


def _evaluated(proto: onnx.ModelProto) -> dict[str, Any]:
    """All tensors of the graph, as constants or as functions of its inputs."""
    graph, to_array = proto.graph, onnx_package().numpy_helper.to_array
    values: dict[str, Any] = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in values]
    if len(inputs) != 1:
        raise ValueError(f"{len(inputs)} inputs, expected 1")
    values[inputs[0].name] = _source(inputs[0], graph, values)
    own = {(function.domain, function.name) for function in proto.functions}
    for node in graph.node:
        place = f"node {node.name or node.output[0]!r} ({node.op_type})"
        domain = "" if node.domain == "ai.onnx" else node.domain
        try:
            if (domain, node.op_type) in own:
                raise ValueError("a function of the file's own, expected operators of ONNX")
            operands = [values[name] if name else None for name in node.input]
            values[node.output[0]] = _result(proto, node, domain, operands)
        except KeyError as error:  # a second output
            raise ValueError(f"{place}: its input {error} is not known") from None
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    return values


def _result(proto: onnx.ModelProto, node: onnx.NodeProto, domain: str, operands: list[Any]) -> Any:
    constant = all(operand is None or isinstance(operand, np.ndarray) for operand in operands)
    if domain == "" and (node.op_type == "Constant" or (constant and node.op_type in FOLDED)):
        return _folded(proto, node, operands)
    operator = OPERATORS.get((domain, node.op_type))
    if operator is None:
        raise ValueError(f"expected one of {', '.join(name for _, name in OPERATORS)}")
    get = onnx_package().helper.get_attribute_value
    attributes = {attribute.name: get(attribute) for attribute in node.attribute}
    known = inspect.signature(operator).parameters.values()
    names = {parameter.name for parameter in known if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    for name in attributes:
        if name not in names:
            raise ValueError(f"attribute {name}, expected none but {', '.join(sorted(names)) or 'none'}")
    with np.errstate(all="ignore"):  # what is not finite the model refuses
        return operator(*operands, **attributes)


def _folded(proto: onnx.ModelProto, node: onnx.NodeProto, operands: list[Array | None]) -> Array:
    """A node of constants alone, by ONNX' own evaluation."""
    onnx = onnx_package()
    from onnx.reference import ReferenceEvaluator

    given = {name: operand for name, operand in zip(node.input, operands) if operand is not None}
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in given.items()}
    ends = [onnx.helper.make_tensor_value_info(name, kinds[name], value.shape) for name, value in given.items()]
    result = onnx.helper.make_empty_tensor_value_info(node.output[0])
    graph = onnx.helper.make_graph([node], "constant", ends, [result])
    model = onnx.helper.make_model(graph, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    try:
        (found,) = ReferenceEvaluator(model).run(None, given)
    except Exception as error:
        raise ValueError(f"cannot be evaluated: {' '.join(str(error).split())}") from None
    if not isinstance(found, (np.ndarray, np.generic)):
        raise ValueError(f"a constant of type {type(found).__name__}, expected a tensor")
    return np.asarray(found)


def _source(value: Any, graph: Any, constants: dict[str, Any]) -> Source | Affine:
    """The inputs: their columns as declared, else as many as the first weights have rows."""
    kind = value.type.tensor_type
    if value.type.WhichOneof("value") != "tensor_type":
        raise ValueError(f"input {value.name!r}: not a tensor, expected one")
    sizes = [dimension.dim_value if dimension.dim_value > 0 else None for dimension in kind.shape.dim]
    if not kind.HasField("shape"):
        sizes = [None, None]
    if len(sizes) < 2 or any(size is None for size in sizes[2:]):
        raise ValueError(f"input {value.name!r}: shape {sizes}, expected [samples, columns]")
    if len(sizes) == 2 and sizes[1] is None:
        sizes[1] = _rows_of_weights(value.name, graph, constants)
    if sizes[1] is None:
        raise ValueError(f"input {value.name!r}: number of columns not known")
    inputs = Inputs(math.prod(size for size in sizes[1:] if size is not None), sizes[0])
    return read_source(Source(inputs, tuple(sizes), kind.elem_type))


def _rows_of_weights(name: str, graph: Any, constants: dict[str, Any]) -> int | None:
    for node in graph.node:
        if node.op_type in ("Gemm", "MatMul") and np.ndim(constants.get(node.input[1])) == 2:
            rows, columns = constants[node.input[1]].shape
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            return columns if transposed else rows
    return None


def _metadata(proto: onnx.ModelProto) -> dict[str, Any]:
    """What `to_onnx` wrote."""
    found = {}
    for entry in proto.metadata_props:
        if entry.key not in (*NAMES, CLASSES, CATEGORIES):
            continue
        try:
            found[entry.key] = json.loads(entry.value)
        except ValueError:
            raise ValueError(f"metadata {entry.key}: {entry.value!r}, expected JSON") from None
    for key in NAMES:
        names = found.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"metadata {key}: {names!r}, expected a list of texts")
    categories = found.get(CATEGORIES, {})
    if not isinstance(categories, dict) or not all(
        isinstance(levels, list) and all(isinstance(level, str) for level in levels) for levels in categories.values()
    ):
        raise ValueError(f"metadata {CATEGORIES}: {categories!r}, expected lists of texts by column")
    return found
