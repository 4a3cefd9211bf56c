"""Files by any name that the system takes: text, bytes, paths, and names that are not UTF-8."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import random_model, same

import relufit
from relufit import ReluRegressor, core
from relufit.__main__ import main

KINDS: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "text": str,
    "bytes": os.fsencode,
    "text that is not UTF-8": lambda path: str(path) + os.fsdecode(b"\xe9"),
    "bytes that are not UTF-8": lambda path: os.fsencode(path) + b"\xe9",
    "path that is not UTF-8": lambda path: Path(str(path) + os.fsdecode(b"\xe9")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_path(kind: str, tmp_path: Path) -> None:
    make, model = KINDS[kind], random_model(4, widest=4)
    path = make(tmp_path / "model")
    model.save(path)
    assert os.path.exists(path) and same(relufit.Model.load(path), model)
    source = model.to_c(make(tmp_path / "header"))
    with open(make(tmp_path / "header")) as file:
        assert file.read() == source
    with open(make(tmp_path / "constraints"), "w") as file:
        json.dump({"monotone": [{"input": "x0", "target": "y0", "direction": "increasing"}]}, file)
    constraints = make(tmp_path / "constraints")
    X = np.linspace(-1, 1, 20)[:, np.newaxis]
    for load in (core.load_constraints, core.Constraints.load):
        assert core.check_constraints(load(constraints), relufit.Model([(np.ones((1, 1)), np.zeros(1))]))[0].holds
    assert relufit.train(X, X, [2], constraints=constraints, iterations=3).constraints[0].holds
    ReluRegressor((2,), constraints=constraints, max_iter=3).fit(X, X[:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_path_of_onnx(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    make, model = KINDS[kind], random_model(4, widest=4)
    path = make(tmp_path / "model")
    model.to_onnx(path, dtype="float64")
    assert os.path.exists(path) and same(relufit.from_onnx(path), model.folded())
    files = [os.fsdecode(make(tmp_path / name)) for name in ("first", "second", "third")]
    model.save(files[0])
    assert main(["export", files[0], "--onnx", files[1], "--dtype", "float64"]) == 0
    assert main(["import", files[1], "--model", files[2]]) == 0
    assert same(relufit.Model.load(files[2]), model.folded())


def test_messages_show_names_that_are_not_utf_8(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\\xe9"):
        relufit.Model.load(os.fsencode(tmp_path) + b"/none\xe9")
    with pytest.raises(RuntimeError, match=r"none\\xe9/model: cannot be written"):
        random_model(0).save(os.fsencode(tmp_path) + b"/none\xe9/model")


@pytest.mark.parametrize("method", ["save", "load", "to_c"])
def test_what_names_no_file_is_refused(method: str, tmp_path: Path) -> None:
    """A zero byte would end the name for the system, and another file be written."""
    model = random_model(0)
    with pytest.raises(TypeError, match="int"):
        getattr(model, method)(3)
    with pytest.raises(ValueError, match="null"):
        getattr(model, method)(str(tmp_path / "model\0.json"))
    assert not list(tmp_path.iterdir())
