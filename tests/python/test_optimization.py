"""Exported networks as constraints in tools of mixed-integer optimization: the optimum is what `predict` says there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import relufit

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    inputs = 3 + generator.normal(size=(120, 3))
    return inputs, np.abs(inputs[:, 0] - 3) - (inputs[:, 1] - 3) ** 2 + inputs[:, 2]


def largest_by_search(model: relufit.Model, lower: np.ndarray, upper: np.ndarray) -> float:
    points = np.random.default_rng(1).uniform(lower, upper, size=(20000, len(lower)))
    return float(model.predict(points)[:, 0].max())


def maximum_by_omlt(path: Path, lower: np.ndarray, upper: np.ndarray) -> tuple[float, list[float]]:
    omlt, pyo = pytest.importorskip("omlt"), pytest.importorskip("pyomo.environ")
    from omlt.io.onnx import load_onnx_neural_network
    from omlt.neuralnet import ReluBigMFormulation

    network = load_onnx_neural_network(onnx.load(path), input_bounds=dict(enumerate(zip(lower, upper))))
    problem = pyo.ConcreteModel()
    problem.network = omlt.OmltBlock()
    problem.network.build_formulation(ReluBigMFormulation(network))
    problem.largest = pyo.Objective(expr=problem.network.outputs[0], sense=pyo.maximize)
    pyo.SolverFactory("appsi_highs").solve(problem)
    return pyo.value(problem.largest), [pyo.value(x) for x in problem.network.inputs.values()]


def maximum_by_scip(path: Path, lower: np.ndarray, upper: np.ndarray) -> tuple[float, list[float]]:
    scip = pytest.importorskip("pyscipopt")
    add_onnx_constr = pytest.importorskip("pyscipopt_ml.onnx").add_onnx_constr
    problem = scip.Model()
    problem.hideOutput()
    graph = onnx.load(path)
    outputs = graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    inputs = np.array([[problem.addVar(lb=low, ub=high) for low, high in zip(lower, upper)]])
    results = np.array([[problem.addVar(lb=None, ub=None) for _ in range(outputs)]])
    add_onnx_constr(problem, graph, inputs, results)
    problem.setObjective(results[0, 0], "maximize")
    problem.optimize()
    return problem.getObjVal(), [problem.getVal(x) for x in inputs[0]]


@pytest.mark.parametrize("maximum", [maximum_by_omlt, maximum_by_scip])
@pytest.mark.parametrize("hidden", [(6,), (4, 3)])
def test_the_optimum_is_the_prediction(data, tmp_path: Path, maximum, hidden: tuple[int, ...]) -> None:
    inputs, targets = data
    model = relufit.train(inputs, targets, hidden, ridge=1e-3).model
    model.to_onnx(tmp_path / "network.onnx", dtype="float64")
    lower, upper = np.full(3, 2.0), np.full(3, 4.0)
    value, point = maximum(tmp_path / "network.onnx", lower, upper)
    assert model.predict([point])[0, 0] == pytest.approx(value, abs=1e-5)
    assert value >= largest_by_search(model, lower, upper) - 1e-5


@pytest.mark.parametrize("maximum", [maximum_by_omlt, maximum_by_scip])
def test_scores_of_classes(data, tmp_path: Path, maximum) -> None:
    inputs, targets = data
    labels = np.digitize(targets, [2.0, 3.5])
    model = relufit.train(inputs, labels, (4,), loss="cross-entropy", ridge=1e-3).model
    model.to_onnx(tmp_path / "network.onnx", dtype="float64", scores=True)
    value, point = maximum(tmp_path / "network.onnx", np.full(3, 2.0), np.full(3, 4.0))
    assert model.predict([point])[0, 0] == pytest.approx(value, abs=1e-5)


def test_every_node_has_a_name_of_its_own(data) -> None:
    model = relufit.train(*data, (4, 3), activation="hard-tanh", skip_connections=True, ridge=1e-2).model
    nodes = model.to_onnx(opset=7).graph.node
    names = [node.name for node in nodes]
    assert all(names) and len(set(names)) == len(names)
    for node in nodes:
        if node.op_type == "Gemm":
            assert {a.name for a in node.attribute} == {"alpha", "beta", "transA", "transB"}
