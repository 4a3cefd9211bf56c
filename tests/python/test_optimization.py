"""Exported networks as constraints in tools of mixed-integer optimization: the optimum is what `predict` says there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import relufit
from relufit.__main__ import main

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


def maximum_by_gurobi(path: Path, lower: np.ndarray, upper: np.ndarray) -> tuple[float, list[float]]:
    gurobi = pytest.importorskip("gurobipy")
    add_onnx_constr = pytest.importorskip("gurobi_ml.onnx").add_onnx_constr
    try:
        environment = gurobi.Env(params={"OutputFlag": 0})
    except gurobi.GurobiError as error:  # its license for small problems has an end
        pytest.skip(str(error))
    problem = gurobi.Model(env=environment)
    graph = onnx.load(path)
    outputs = graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    inputs = problem.addMVar((1, len(lower)), lb=lower[np.newaxis], ub=upper[np.newaxis])
    results = problem.addMVar((1, outputs), lb=-gurobi.GRB.INFINITY)
    add_onnx_constr(problem, graph, inputs, results)
    problem.setObjective(results[0, 0], gurobi.GRB.MAXIMIZE)
    problem.optimize()
    return problem.ObjVal, inputs.X[0].tolist()


SOLVERS = [maximum_by_omlt, maximum_by_scip, maximum_by_gurobi]


@pytest.mark.parametrize("maximum", SOLVERS)
@pytest.mark.parametrize("hidden", [(6,), (4, 3)])
def test_the_optimum_is_the_prediction(data, tmp_path: Path, maximum, hidden: tuple[int, ...]) -> None:
    inputs, targets = data
    model = relufit.train(inputs, targets, hidden, ridge=1e-3).model
    model.to_onnx(tmp_path / "network.onnx", dtype="float64")
    lower, upper = np.full(3, 2.0), np.full(3, 4.0)
    value, point = maximum(tmp_path / "network.onnx", lower, upper)
    assert model.predict([point])[0, 0] == pytest.approx(value, abs=1e-5)
    assert value >= largest_by_search(model, lower, upper) - 1e-5


@pytest.mark.parametrize("maximum", SOLVERS)
def test_scores_of_classes(data, tmp_path: Path, maximum) -> None:
    inputs, targets = data
    labels = np.digitize(targets, [2.0, 3.5])
    model = relufit.train(inputs, labels, (4,), loss="cross-entropy", ridge=1e-3).model
    model.to_onnx(tmp_path / "network.onnx", dtype="float64", scores=True)
    value, point = maximum(tmp_path / "network.onnx", np.full(3, 2.0), np.full(3, 4.0))
    assert model.predict([point])[0, 0] == pytest.approx(value, abs=1e-5)


def test_bounds_beside_the_file(data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = relufit.train(*data, (4,), ridge=1e-2, input_names=["a", "b, c", "d"]).model
    path = tmp_path / "network.onnx"
    box = np.array([[2.0, 4.0], [-1.5, 0.1], [3.0, 3.0]])
    model.to_onnx(path, dtype="float64", bounds=box)
    onnx_io = pytest.importorskip("omlt.io.onnx")
    assert onnx_io.load_onnx_neural_network_with_bounds(str(path)).scaled_input_bounds == {
        i: tuple(pair) for i, pair in enumerate(box.tolist())
    }
    for bounds, message in ((box[:2], "shape"), (-box, "the lower one first"), (box * np.nan, "finite")):
        with pytest.raises(ValueError, match=f"bounds: .*{message}"):
            model.to_onnx(path, bounds=bounds)
    with pytest.raises(ValueError, match="bounds: given without a path"):
        model.to_onnx(bounds=box)

    model.save(tmp_path / "model.json")
    rows = tmp_path / "rows.csv"
    rows.write_text('d,"b, c",unused,a\n1,-2,x,3\n5,-4,y,7\n')
    command = ["export", str(tmp_path / "model.json"), "--onnx", str(path), "--dtype", "float64"]
    command += ["--bounds", str(rows)]
    assert main(command) == 0
    found = onnx_io.load_onnx_neural_network_with_bounds(str(path)).scaled_input_bounds
    assert found == {0: (3, 7), 1: (-4, -2), 2: (1, 5)}
    for text, message in (
        ("a,d\n1,2\n", "no column 'b, c'"), ('a,d,"b, c"\n1,2,x\n', "'x' is not a number"), ('a,d,"b, c"\n', "no data rows")
    ):  # fmt: skip
        rows.write_text(text)
        assert main(command) == 2 and message in capsys.readouterr().err


def test_every_node_has_a_name_of_its_own(data) -> None:
    model = relufit.train(*data, (4, 3), activation="hard-tanh", skip_connections=True, ridge=1e-2).model
    nodes = model.to_onnx(opset=7).graph.node
    names = [node.name for node in nodes]
    assert all(names) and len(set(names)) == len(names)
    for node in nodes:
        if node.op_type == "Gemm":
            assert {a.name for a in node.attribute} == {"alpha", "beta", "transA", "transB"}
