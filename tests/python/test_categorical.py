"""Columns of text of frames as inputs: in training, estimators and model files, and through exports."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import relufit
from relufit import ReluClassifier, ReluRegressor, core

pandas = pytest.importorskip("pandas")

COLORS = np.array(["red", "green", "light blue"])
LEVELS = {"color": ["green", "light blue", "red"], "doors": ["10", "2", "4"]}
NAMES = ["color=green", "color=light blue", "color=red", "age", "doors=10", "doors=2", "doors=4"]
OPTIONS: dict[str, Any] = {"hidden": [4], "iterations": 20, "ridge": 0.001}


def columns(seed: int = 0, samples: int = 60) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        "color": COLORS[generator.integers(3, size=samples)].tolist(),
        "age": generator.uniform(0, 10, samples),
        "doors": np.array([2, 4, 10])[generator.integers(3, size=samples)],
    }


def frames(data: dict[str, Any]) -> list[Any]:
    """The same columns as frames of every library that is installed, of pandas with every type of texts."""
    made = [pandas.DataFrame(data)]
    made.append(made[0].astype({"color": object}))
    made.append(made[0].astype({"color": "category", "doors": "category"}))
    made.append(made[0].astype({"color": "string", "doors": "Int64"}))
    for name, make in (("polars", "DataFrame"), ("pyarrow", "table")):
        try:
            made.append(getattr(__import__(name), make)(data))
        except ImportError:
            pass
    return made


DATA = columns()
FRAME = pandas.DataFrame(DATA)
Y = 20 - 2 * np.abs(DATA["age"] - 5) + 3 * (FRAME["color"] == "red").to_numpy() + 5 * (DATA["doors"] == 4)


def one_hot(data: dict[str, Any]) -> np.ndarray:
    return np.column_stack([
        *(np.array(data["color"]) == level for level in LEVELS["color"]),
        data["age"],
        *(data["doors"].astype(str) == level for level in LEVELS["doors"]),
    ]).astype(float)  # fmt: skip


def test_training_is_that_on_zeros_and_ones() -> None:
    expected = relufit.train(one_hot(DATA), Y, **OPTIONS).model
    inputs = one_hot(columns(1))
    for frame, new in zip(frames(DATA), frames(columns(1))):
        model = relufit.train(frame, Y, categorical=["doors", "color"], **OPTIONS).model
        assert (model.input_names, model.categories) == (NAMES, LEVELS)
        np.testing.assert_array_equal(model.predict(one_hot(DATA)), expected.predict(one_hot(DATA)))
        np.testing.assert_array_equal(model.predict(new), expected.predict(inputs))
        shuffled = pandas.DataFrame(columns(1))[["doors", "color", "age"]].assign(note="?")
        np.testing.assert_array_equal(model.predict(shuffled), expected.predict(inputs))
        np.testing.assert_array_equal(model.predict(pandas.DataFrame(inputs, columns=NAMES)), expected.predict(inputs))


def test_from_dtype_takes_columns_of_text() -> None:
    for frame in frames(DATA):
        categories = relufit.train(frame, Y, categorical="from_dtype", **OPTIONS).model.categories
        declared = isinstance(frame, pandas.DataFrame) and frame.dtypes["doors"] == "category"
        assert set(categories) == ({"color", "doors"} if declared else {"color"})
    assert relufit.train(FRAME[["age", "doors"]], Y, categorical="from_dtype", **OPTIONS).model.categories == {}


def test_levels_may_be_given_and_declared() -> None:
    levels = ["red", "violet", "green", "light blue"]
    model = relufit.train(FRAME[["color", "age"]], Y, categorical={"color": levels}, **OPTIONS).model
    assert model.categories == {"color": levels}
    model.predict(pandas.DataFrame({"color": ["violet"], "age": [1.0]}))
    declared = FRAME.astype({"color": pandas.CategoricalDtype(levels)})[["color", "age"]]
    model = relufit.train(declared, Y, categorical=["color"], **OPTIONS).model
    assert model.categories == {"color": sorted(levels)}
    # An array whose columns are such inputs already.
    names = [f"color={level}" for level in LEVELS["color"]] + ["age"]
    model = relufit.train(
        one_hot(DATA)[:, :4], Y, input_names=names, categorical={"color": LEVELS["color"]}, **OPTIONS
    ).model
    assert model.predict(FRAME).shape == (60, 1)


def test_model_files_pickles_and_copies_keep_them(tmp_path: Path) -> None:
    model = relufit.train(FRAME, Y, categorical=["color", "doors"], **OPTIONS).model
    model.save(tmp_path / "model.json")
    for again in (relufit.Model.load(tmp_path / "model.json"), pickle.loads(pickle.dumps(model)), copy.copy(model),
                  model.folded()):  # fmt: skip
        assert again.categories == LEVELS
        np.testing.assert_allclose(again.predict(FRAME), model.predict(FRAME), rtol=1e-12)


def test_certificates_and_constraints_take_frames() -> None:
    constraints = {"monotone": [{"input": "color=red", "target": "y0", "direction": "increasing"}]}
    model = relufit.train(FRAME, Y, categorical=["color", "doors"], constraints=constraints, **OPTIONS).model
    checks = core.check_constraints(core.load_constraints(constraints), model, FRAME)
    assert all(check.holds for check in checks)
    assert relufit.certify(model, FRAME, Y, time_limit=1).lower_bound > 0


def test_validation_samples_are_frames_too() -> None:
    new = columns(1)
    held_out = {"validation": (pandas.DataFrame(new), Y), "starts": 2, "seed": 1}
    model = relufit.train(FRAME, Y, categorical=["color", "doors"], **{**OPTIONS, **held_out, "ridge": "auto"}).model
    held_out["validation"] = (one_hot(new), Y)
    expected = relufit.train(one_hot(DATA), Y, **{**OPTIONS, **held_out, "ridge": "auto"}).model
    np.testing.assert_array_equal(model.predict(FRAME), expected.predict(one_hot(DATA)))


def test_onnx_files_keep_them(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = relufit.train(FRAME, Y, categorical=["color", "doors"], **OPTIONS).model
    model.to_onnx(tmp_path / "model.onnx", dtype="float64")
    again = relufit.from_onnx(tmp_path / "model.onnx")
    assert (again.input_names, again.categories) == (NAMES, LEVELS)
    np.testing.assert_array_equal(again.predict(FRAME), model.folded().predict(FRAME))
    proto = onnx.load(tmp_path / "model.onnx")
    for entry in proto.metadata_props:
        if entry.key == "relufit.categories":
            entry.value = '{"color": 1}'
    with pytest.raises(ValueError, match="metadata relufit.categories: .*, expected lists of texts by column"):
        relufit.from_onnx(proto)


def test_bounds_of_a_csv_file(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from relufit.__main__ import box_of

    model = relufit.train(FRAME, Y, categorical=["color", "doors"], **OPTIONS).model
    FRAME[FRAME["color"] != "red"].to_csv(tmp_path / "data.csv", index=False)
    box = np.array(box_of(str(tmp_path / "data.csv"), model))
    kept = one_hot(DATA)[(FRAME["color"] != "red").to_numpy()]
    np.testing.assert_allclose(box, np.column_stack([kept.min(axis=0), kept.max(axis=0)]), rtol=1e-15)


@pytest.mark.parametrize("estimator", [ReluRegressor((4,)), ReluClassifier((4,)),
                                       ReluRegressor((2,), loss="quantile", loss_parameter=[0.2, 0.8])])  # fmt: skip
def test_estimators(estimator: Any, tmp_path: Path) -> None:
    estimator = clone(estimator).set_params(categorical=["color", "doors"], random_state=0, max_iter=20, ridge=0.01)
    y = Y > 20 if isinstance(estimator, ReluClassifier) else Y
    estimator.fit(FRAME, y)
    assert estimator.feature_names_in_.tolist() == ["color", "age", "doors"] and estimator.n_features_in_ == 3
    assert (estimator.model_.input_names, estimator.model_.categories) == (NAMES, LEVELS)
    plain = clone(estimator).set_params(categorical=None).fit(one_hot(DATA), y)
    np.testing.assert_array_equal(estimator.predict(FRAME), plain.predict(one_hot(DATA)))
    assert estimator.score(FRAME, y) == plain.score(one_hot(DATA), y)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict(FRAME[:5]), estimator.predict(FRAME[:5]))
    with pytest.raises(ValueError, match="inputs: column 'color': 'violet' at sample 2, expected one of 'green', "):
        estimator.predict(FRAME[:3].assign(color=["red", "violet", "red"]))
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(FRAME[["age", "color", "doors"]])
    with pytest.raises(ValueError, match="X: an array with categorical, expected a frame"):
        estimator.predict(one_hot(DATA))


def test_estimators_in_pipelines_and_searches() -> None:
    rare = FRAME.assign(color=["violet", *DATA["color"][1:]])  # in one fold alone
    declared = rare.astype({"color": "category", "doors": "category"})
    estimator = make_pipeline(FunctionTransformer(), ReluRegressor((4,), random_state=0, max_iter=20, ridge=0.001))
    estimator.set_params(reluregressor__categorical="from_dtype")
    assert np.isfinite(cross_val_score(estimator, declared, Y, cv=3, error_score="raise")).all()
    estimator.set_params(reluregressor__categorical=["color", "doors"])
    with pytest.raises(ValueError, match="column 'color': 'violet' at sample 1, expected one of"):
        cross_val_score(estimator, rare, Y, cv=3, error_score="raise")
    fitted = ReluRegressor((4,), categorical=["color", "doors"], random_state=0, max_iter=20).fit(
        FRAME, Y, eval_set=(pandas.DataFrame(columns(1)), Y), sample_weight=np.arange(60) % 3
    )
    assert fitted.model_.categories == LEVELS
    perceptron = fitted.to_sklearn()
    np.testing.assert_allclose(
        perceptron.predict(pandas.DataFrame(one_hot(DATA), columns=NAMES)), fitted.predict(FRAME), rtol=1e-10
    )
    constant = ReluRegressor((4,), categorical=["color"]).fit(FRAME[["color", "age"]], np.ones(60))
    assert constant.model_.categories == {"color": LEVELS["color"]}
    np.testing.assert_array_equal(constant.predict(FRAME[["color", "age"]]), 1)


def bad(**changes: Any) -> Any:
    return FRAME.assign(**changes)


@pytest.mark.parametrize(
    ("inputs", "categorical", "message"),
    [
        (FRAME, ["colour"], "categorical: no column 'colour', expected one of 'color', 'age', 'doors'"),
        (FRAME, ["color", "color"], "categorical: 'color' is named twice"),
        (FRAME, "color", "categorical: 'color', expected names of columns in a list, or \"from_dtype\""),
        (one_hot(DATA), ["color"], "categorical: given with an array, expected a frame"),
        (FRAME, ["age"], "column 'color' does not hold numbers alone"),
        (bad(color="red"), ["color"], "column 'color': 'red' in all 60 rows, expected at least 2"),
        (bad(color=["red", None] * 30), ["color"], "inputs: column 'color': .* at sample 2, expected a text"),
        (bad(color=["red", ""] * 30), ["color"], "column 'color': missing value, expected a text"),
        (FRAME, {"color": ["red", "green"]}, "column 'color': 'light blue' at sample .*, expected one of 'red', "),
        (FRAME, {"color": [*COLORS, "red"]}, "is repeated"),
        (one_hot(DATA), {"color": ["red", "green"]}, r"categories\[0\]: no input 'color=red' for a level"),
    ],
)
def test_bad_columns_are_refused(inputs: Any, categorical: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        relufit.train(inputs, Y, categorical=categorical, **OPTIONS)


def test_many_texts_are_refused() -> None:
    many = pandas.DataFrame({"id": [f"n{i}" for i in range(1001)], "x": np.arange(1001.0)})
    with pytest.raises(ValueError, match="column 'id': 1001 different texts in 1001 rows, expected at most 1000"):
        relufit.train(many, np.arange(1001.0), categorical=["id"], **OPTIONS)
