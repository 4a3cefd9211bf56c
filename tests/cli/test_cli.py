"""The commands train, predict and evaluate, end to end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Program, forward, load_model, measures, read_csv, without_times, write_csv

EXACT = ("--targets", "y", "--hidden", 2, "--loss", "exact")
RELAXATION = (*EXACT, "--method", "relaxation")
SHORT = ("--targets", "progression", "--hidden", 5, "--iterations", 50)


@pytest.fixture
def teacher_model(relufit: Program, teacher_csv: Path) -> Path:
    relufit("train", teacher_csv, *RELAXATION, "--starts", 20, "--model", "teacher.json")
    return relufit.folder / "teacher.json"


def test_version(relufit: Program) -> None:
    assert relufit("--version").strip().replace(".", "").isdigit()


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "reproduce", "export-sdp"])
def test_help_has_an_example(relufit: Program, command: str) -> None:
    text = relufit(command, "--help")
    assert "Example" in text
    assert f"  relufit {command} " in text
    assert command in relufit("--help")


@pytest.mark.parametrize(("method", "strategy"), [("relaxation", "inexact"), ("search", "search"), ("auto", "search")])
def test_exact_fit_of_a_teacher(relufit: Program, teacher_csv: Path, method: str, strategy: str) -> None:
    summary = relufit.json("train", teacher_csv, *EXACT, "--method", method, "--starts", 20, "--model", "teacher.json")
    assert summary["strategy"] == strategy
    assert summary["status"] == "converged"
    assert summary["train"]["all"]["relative_residual"] < 1e-6
    assert max(summary["violations"].values()) < 1e-7
    table = read_csv(teacher_csv)
    model = load_model(relufit.folder / "teacher.json")
    residual = measures(forward(model, table), table["y"][:, None])["relative_residual"]
    assert residual == pytest.approx(summary["train"]["all"]["relative_residual"], rel=1e-3)
    assert model["training"]["relative_residual"] == pytest.approx(residual, rel=1e-3)


def test_validation_rows_choose(relufit: Program, diabetes: Path) -> None:
    """Those of a file, and a fraction of the rows; the ridge is then that of the least loss on them, or nearly."""
    names = list(read_csv(diabetes))
    values = np.column_stack(list(read_csv(diabetes).values()))
    write_csv(relufit.folder / "train.csv", names, values[:300])
    write_csv(relufit.folder / "held.csv", names, values[300:])
    train = ("train", "train.csv", "--targets", "progression", "--hidden", 4, "--model", "model.json")
    summary = relufit.json(*train, "--validation", "held.csv")
    chosen = summary["ridge"]["ridges"].index(summary["ridge"]["chosen"])
    assert summary["ridge"]["held_out"][chosen] <= 1.002 * min(summary["ridge"]["held_out"])
    model = load_model(relufit.folder / "model.json")
    assert model["training"]["samples"] == 300
    held = read_csv(relufit.folder / "held.csv")
    assert summary["validation"]["all"] == pytest.approx(measures(forward(model, held), held["progression"][:, None]))
    assert "predicts best on the validation data" in relufit(*train, "--validation", "held.csv")
    relufit.json(*train, "--validation-fraction", 0.25, "--test-fraction", 0.2)
    assert load_model(relufit.folder / "model.json")["training"]["samples"] == 180


def test_held_out_round_trip(relufit: Program, diabetes: Path) -> None:
    summary = relufit.json(
        "train", diabetes, "--targets", "progression", "--hidden", 10, "--test-fraction", 0.25, "--iterations", 300,
        "--model", "diabetes.json",
    )  # fmt: skip
    model = load_model(relufit.folder / "diabetes.json")
    assert (model["format"], model["version"]) == ("relufit-model", 1)
    assert summary["test"]["all"]["r2"] > 0.3
    assert summary["train"]["all"]["r2"] > 0.4

    table = read_csv(diabetes)
    targets = table["progression"][:, None]
    relufit("predict", "diabetes.json", diabetes, "--out", "predictions.csv")
    predictions = read_csv(relufit.folder / "predictions.csv")["progression"][:, None]
    np.testing.assert_allclose(predictions, forward(model, table), rtol=1e-10, atol=0)

    evaluation = relufit.json("evaluate", "diabetes.json", diabetes)
    expected = measures(predictions, targets)
    assert evaluation["all"] == pytest.approx(expected, rel=1e-10)
    assert evaluation["targets"]["progression"] == pytest.approx(expected, rel=1e-10)

    # Training and held-out rows are all rows, each once.
    rows = len(targets)
    train_rows = model["training"]["samples"]
    assert rows - train_rows == pytest.approx(0.25 * rows, abs=1)
    both = train_rows * summary["train"]["all"]["mse"] + (rows - train_rows) * summary["test"]["all"]["mse"]
    assert both == pytest.approx(rows * expected["mse"], rel=1e-10)


def test_several_targets_and_layers_and_relu_output(relufit: Program) -> None:
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(30, 3))
    targets = np.maximum(0.0, inputs @ generator.normal(size=(3, 2)))
    write_csv(relufit.folder / "data.csv", ["a", "b", "c", "v", "w"], np.column_stack([inputs, targets]))
    relufit(
        "train", "data.csv", "--targets", "w,v", "--inputs", "c,a", "--hidden", "4,3", "--output-activation", "relu",
        "--iterations", 50, "--model", "model.json",
    )  # fmt: skip
    model = load_model(relufit.folder / "model.json")
    assert model["input_names"] == ["c", "a"]
    assert model["target_names"] == ["w", "v"]
    assert [np.array(layer["weights"]).shape for layer in model["layers"]] == [(4, 2), (3, 4), (2, 3)]
    relufit("predict", "model.json", "data.csv", "--out", "out.csv")
    predictions = read_csv(relufit.folder / "out.csv")
    expected = forward(model, read_csv(relufit.folder / "data.csv"))
    np.testing.assert_allclose(np.column_stack([predictions["w"], predictions["v"]]), expected, rtol=1e-10, atol=1e-14)
    evaluation = relufit.json("evaluate", "model.json", "data.csv")
    assert evaluation["all"] == pytest.approx(measures(expected, targets[:, ::-1]), rel=1e-10)
    assert "all" in relufit("evaluate", "model.json", "data.csv")


def test_predict_prints_what_it_writes(relufit: Program, teacher_model: Path, teacher_csv: Path) -> None:
    relufit("predict", teacher_model, teacher_csv, "--out", "out.csv")
    assert relufit("predict", teacher_model, teacher_csv) == (relufit.folder / "out.csv").read_text()


def test_output_that_cannot_be_written_is_reported(relufit: Program, teacher_model: Path, teacher_csv: Path) -> None:
    with open("/dev/full", "w") as full:
        completed = subprocess.run(
            [str(relufit.path), "predict", str(teacher_model), str(teacher_csv)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert completed.returncode == 1
    assert "cannot be written" in completed.stderr


def test_columns_of_new_data_may_come_in_any_order(relufit: Program, teacher_model: Path, teacher_csv: Path) -> None:
    table = read_csv(teacher_csv)
    write_csv(relufit.folder / "shuffled.csv", ["u2", "other", "u1"],
              np.column_stack([table["u2"], np.arange(40.0), table["u1"]]))  # fmt: skip
    assert relufit("predict", teacher_model, "shuffled.csv") == relufit("predict", teacher_model, teacher_csv)


def test_same_seed_gives_the_same_model(relufit: Program, diabetes: Path) -> None:
    arguments = ("train", diabetes, *SHORT, "--starts", 2, "--test-fraction", 0.5)
    models = []
    for name, seed in [("a", 5), ("b", 5), ("c", 6)]:
        relufit(*arguments, "--seed", seed, "--model", f"{name}.json")
        models.append(without_times(load_model(relufit.folder / f"{name}.json")))
    assert models[0] == models[1]
    assert models[0]["layers"] != models[2]["layers"]


@pytest.fixture
def sum_csv(tmp_path: Path) -> Path:
    """Columns u0..u5, y = sum of relu(W u), not of unit scale; an output weight of 1 each fits it, without biases."""
    generator = np.random.default_rng(11)
    inputs = generator.normal(size=(300, 6))
    hidden = np.maximum(0.0, inputs @ generator.normal(size=(6, 6)))
    path = tmp_path / "sum.csv"
    write_csv(path, [*(f"u{i}" for i in range(6)), "y"], np.column_stack([50 * inputs, 0.01 * hidden.sum(axis=1)]))
    return path


SUM = ("--targets", "y", "--hidden", 6, "--loss", "exact", "--no-bias")


@pytest.mark.parametrize("weights", [[1.0] * 6, [2.0, 0.5, 1.0, 1e-3, 30.0, 0.1]])
def test_given_output_weights(relufit: Program, sum_csv: Path, weights: list[float]) -> None:
    given: str = "ones"
    if weights != [1.0] * 6:
        given = "weights.csv"
        write_csv(relufit.folder / given, [f"s{i}" for i in range(6)], np.array([weights]))
    summary = relufit.json("train", sum_csv, *SUM, "--fixed-output", given, "--starts", 5, "--model", "m.json",
                           "--trace", "trace.csv")  # fmt: skip
    assert (summary["strategy"], summary["status"]) == ("fixed-output", "converged")
    assert summary["train"]["all"]["relative_residual"] < 1e-9
    model = load_model(relufit.folder / "m.json")
    assert model["target_scaling"] == {"offset": [0.0], "scale": [1.0]}
    assert model["layers"][1]["weights"] == [weights]
    assert not np.any(model["input_scaling"]["offset"])
    assert not any(np.any(layer["bias"]) for layer in model["layers"])
    table = read_csv(sum_csv)
    hidden = np.array(model["layers"][0]["weights"]) / np.array(model["input_scaling"]["scale"])
    inputs = np.column_stack([table[f"u{i}"] for i in range(6)])
    predictions = np.maximum(0.0, inputs @ hidden.T) @ np.array(weights)
    np.testing.assert_allclose(predictions, table["y"], atol=1e-9 * np.max(np.abs(table["y"])))
    trace = read_csv(relufit.folder / "trace.csv")
    assert trace["fit"][-1] < 1e-9


def test_given_output_weights_for_any_threads(relufit: Program, sum_csv: Path) -> None:
    models = []
    for threads in [1, 2]:
        relufit("train", sum_csv, *SUM, "--fixed-output", "ones", "--starts", 3, "--threads", threads, "--seed", 4,
                "--model", "model.json")  # fmt: skip
        models.append(without_times(load_model(relufit.folder / "model.json")))
    assert models[0] == models[1]


@pytest.mark.parametrize("method", ["search", "relaxation"])
def test_no_bias(relufit: Program, sum_csv: Path, method: str) -> None:
    relufit("train", sum_csv, *SUM, "--method", method, "--iterations", 30, "--model", "model.json")
    model = load_model(relufit.folder / "model.json")
    assert not any(np.any(layer["bias"]) for layer in model["layers"])
    assert not np.any(model["input_scaling"]["offset"]) and not np.any(model["target_scaling"]["offset"])


@pytest.mark.parametrize(("tolerance", "status"), [(0.9, "converged"), (1e-6, "iteration limit")])
def test_tolerance_of_the_search(relufit: Program, diabetes: Path, tolerance: float, status: str) -> None:
    """Data that no such network fits; auto stays with the search."""
    summary = relufit.json("train", diabetes, *SHORT, "--loss", "exact", "--tolerance", tolerance,
                           "--model", "model.json")  # fmt: skip
    assert (summary["strategy"], summary["status"]) == ("search", status)


def test_leading_zeros_are_no_octal(relufit: Program, teacher_csv: Path) -> None:
    relufit("train", teacher_csv, "--targets", "y", "--hidden", "010,003", "--iterations", "0012", "--seed", "08",
            "--model", "model.json")  # fmt: skip
    model = load_model(relufit.folder / "model.json")
    assert [len(layer["bias"]) for layer in model["layers"]] == [10, 3, 1]
    assert (model["training"]["iterations"], model["training"]["seed"]) == (12, 8)


def test_search_gives_the_same_model_for_any_threads(relufit: Program, teacher_csv: Path) -> None:
    models = []
    for threads in [1, 2]:
        relufit("train", teacher_csv, *EXACT, "--method", "search", "--starts", 2, "--threads", threads, "--seed", 3,
                "--model", "model.json", "--trace", "trace.csv")  # fmt: skip
        models.append(without_times(load_model(relufit.folder / "model.json")))
        trace = read_csv(relufit.folder / "trace.csv")
        for start in set(trace["start"]):
            assert np.all(np.diff(trace["iteration"][trace["start"] == start]) > 0)
    assert models[0] == models[1]


@pytest.mark.parametrize("starts", [1, 3])
def test_threads_do_not_change_the_weights(relufit: Program, diabetes: Path, starts: int) -> None:
    models = []
    for threads in [1, 2, 3]:
        relufit("train", diabetes, *SHORT, "--starts", starts, "--threads", threads, "--model", "model.json")
        models.append(without_times(load_model(relufit.folder / "model.json")))
    assert models[0] == models[1] == models[2]


def test_start_from_a_model(relufit: Program, teacher_model: Path, teacher_csv: Path) -> None:
    first_fits = {}
    for init in ["random", teacher_model]:
        summary = relufit.json("train", teacher_csv, *RELAXATION, "--init", init, "--model", "again.json",
                               "--trace", "trace.csv")  # fmt: skip
        first_fits[init] = read_csv(relufit.folder / "trace.csv")["fit"][0]
    assert first_fits[teacher_model] < first_fits["random"] / 3
    assert summary["status"] == "converged"
    assert summary["train"]["all"]["relative_residual"] < 1e-6


def test_start_from_zero(relufit: Program, teacher_csv: Path) -> None:
    arguments = ("train", teacher_csv, *RELAXATION, "--init", "zero", "--iterations", 20, "--model", "zero.json")
    summary = relufit.json(*arguments)
    assert summary["iterations"] <= 20
    # Nothing is random about it.
    assert relufit.json(*arguments, "--seed", 9)["train"] == summary["train"]


def test_the_methods_of_the_source(relufit: Program, teacher_csv: Path) -> None:
    arguments = ("train", teacher_csv, *RELAXATION, "--iterations", 4, "--model", "model.json")
    solved = relufit.json(*arguments, "--inner-iterations", 0)
    assert (solved["strategy"], solved["iterations"]) == ("converged", 4)
    assert solved["violations"]["sign"] < 1e-6
    assert relufit.json(*arguments)["strategy"] == "inexact"
    reweighted = relufit.json(*arguments, "--strategy", "reweighted")
    assert reweighted["strategy"] == "reweighted"
    # It begins at iteration 3.
    assert reweighted["violations"]["product"] != solved["violations"]["product"]
    assert load_model(relufit.folder / "model.json")["training"]["strategy"] == "reweighted"


def test_report_on_another_file(relufit: Program, diabetes: Path) -> None:
    header, *rows = diabetes.read_text().splitlines()
    (relufit.folder / "train.csv").write_text("\n".join([header, *rows[:300]]) + "\n")
    (relufit.folder / "test.csv").write_text("\n".join([header, *rows[300:]]) + "\n")
    summary = relufit.json("train", "train.csv", *SHORT, "--test", "test.csv", "--model", "model.json")
    for file, part in [("train.csv", "train"), ("test.csv", "test")]:
        table = read_csv(relufit.folder / file)
        predictions = forward(load_model(relufit.folder / "model.json"), table)
        assert summary[part]["all"] == pytest.approx(measures(predictions, table["progression"][:, None]), rel=1e-10)
    assert "held-out data" in relufit("train", "train.csv", *SHORT, "--test", "test.csv", "--model", "model.json")


def test_trace_and_plot(relufit: Program, teacher_csv: Path) -> None:
    relufit(
        "train", teacher_csv, *RELAXATION, "--starts", 2, "--iterations", 60, "--seed", 1,
        "--model", "model.json", "--trace", "trace.csv", "--plot", "plot.svg",
    )  # fmt: skip
    trace = read_csv(relufit.folder / "trace.csv")
    assert list(trace) == [
        "start", "iteration", "objective", "merit", "loss", "pair", "product", "fit", "inner_iterations", "seconds",
    ]  # fmt: skip
    for start in np.unique(trace["start"]):
        iterations = trace["iteration"][trace["start"] == start]
        assert np.all(np.diff(iterations) > 0)
        assert iterations[-1] <= 60
    assert np.all(trace["pair"] >= 0)
    picture = (relufit.folder / "plot.svg").read_text()
    assert "<svg" in picture and picture.rstrip().endswith("</svg>")
    assert (relufit.folder / "plot.svg.gp").is_file()


def test_without_gnuplot_the_picture_is_missing_and_nothing_else(relufit: Program, teacher_csv: Path) -> None:
    completed: subprocess.CompletedProcess[str] = relufit.run(
        "train", teacher_csv, *RELAXATION, "--iterations", 5, "--model", "model.json", "--plot", "plot.svg",
        environment={"PATH": str(relufit.folder)},
    )  # fmt: skip
    assert completed.returncode == 0
    assert "gnuplot" in completed.stderr and completed.stderr.count("\n") == 1
    assert (relufit.folder / "model.json").is_file()
    assert (relufit.folder / "plot.svg.gp").is_file()
    assert not (relufit.folder / "plot.svg").exists()


def test_units_are_chosen(relufit: Program, diabetes: Path) -> None:
    train = ("train", diabetes, "--targets", "progression", "--model", "model.json")
    summary = relufit.json(*train, "--hidden", "auto", "--folds", 2)
    assert len(load_model(relufit.folder / "model.json")["layers"][0]["bias"]) == summary["hidden"]["chosen"]
    assert summary["hidden"]["chosen"] in summary["hidden"]["widths"]
    assert "hidden units predict best" in relufit(*train, "--hidden", "auto", "--folds", 2)
    refused = relufit.run(*train, "--hidden", "auto", "--loss", "exact")
    assert refused.returncode == 2 and "--hidden: auto with the exact loss" in refused.stderr
    assert relufit.run(*train, "--hidden", "auto,3").returncode == 2


def test_a_program_for_one_process_refuses_several(relufit: Program):
    for size, code in (("3", 2), ("1", 0)):
        result = relufit.run("--version", environment={"PMI_SIZE": size})
        assert result.returncode == code
        assert ("3 processes" in result.stderr) == (code == 2)
