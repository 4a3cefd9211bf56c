"""Reports: well formed whatever the names, with the numbers of the result, of every kind of training, whole or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import relufit

pytest.importorskip("jinja2")

from pages import Page

FAST = {"ridge": 0.01, "iterations": 5}
EVIL = ['<b>"&', "</script><script>alert(1)</script>", "{{ 7 * 7 }}", "ü'\u2028"]


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(80, 3))
    return inputs, np.maximum(inputs @ [1.0, -0.5, 0.3], 0) + 0.1 * rng.normal(size=80)


def page(source: Any, tmp_path: Path, *samples: Any, **options: Any) -> Page:
    path = tmp_path / "report.html"
    relufit.report(source, path, *samples, **options)
    text = path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    found = Page(text)
    # Nothing that a browser would fetch or run.
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "use", "image"} & {
        tag for tag, _ in found.tags
    }
    assert not {name for _, attributes in found.tags for name in attributes} & {"src", "href", "xlink:href", "onload"}
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    return found


def test_numbers_are_those_of_the_result(data, tmp_path: Path) -> None:
    inputs, targets = data
    result = relufit.train(inputs[:60], targets[:60], [4], iterations=5)
    found = page(result, tmp_path, inputs[:60], targets[:60], test=(inputs[60:], targets[60:]))
    fits = [result.evaluation.all, relufit.core.evaluate(result.model.predict(inputs[60:]), targets[60:, None]).all]
    assert found.numbers["measures"] == [
        value
        for fit in fits
        for value in (fit.r2, fit.mean_squared_error**0.5, fit.relative_residual, fit.largest_error)
    ]
    assert found.numbers["data"][:2] == [60, 20]
    medians = np.column_stack([inputs[:60].min(axis=0), np.median(inputs[:60], axis=0), inputs[:60].max(axis=0)])
    np.testing.assert_array_equal(found.numbers["data"][2:], medians.ravel())
    assert found.numbers["choices"] == [result.ridge_choice.ridge]
    assert found.sections == ["network", "data", "measures", "predictions", "responses", "choices", "training"]
    assert found.count("figure") == found.count("svg") == 1 + 3 + 1 + 2


LOSSES = {
    "squared": {},
    "absolute": {},
    "huber": {"loss_parameter": 0.3},
    "quantile": {"loss_parameter": 0.9},
    "exact": {"ridge": None, "iterations": 2},
    "cross-entropy": {},
    "logistic": {},
    "hinge": {},
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss: str, data, tmp_path: Path) -> None:
    inputs, targets = data
    if loss in ("cross-entropy", "logistic", "hinge"):
        targets = np.where(targets > np.median(targets), "yes", "no")
    options = {**FAST, **LOSSES[loss]}
    result = relufit.train(inputs, targets, [3], loss=loss, **options)
    found = page(result, tmp_path, inputs, targets)
    if result.classes is not None:
        expected = [result.classes.accuracy] + ([] if loss == "hinge" else [result.classes.log_loss])
        np.testing.assert_allclose(found.numbers["measures"], expected, rtol=1e-12)
        assert found.numbers["classes"] == result.classes.counts.ravel().tolist()
    elif loss == "quantile":
        share = (targets <= result.model.predict(inputs)[:, 0]).mean()
        assert found.numbers["measures"][-1] == share
    else:
        assert found.numbers["measures"][0] == result.evaluation.all.r2


def test_several_targets_and_classes(data, tmp_path: Path) -> None:
    inputs, targets = data
    both = np.column_stack([targets, -2 * targets])
    result = relufit.train(inputs, both, [3], **FAST)
    found = page(result, tmp_path, inputs, both)
    assert found.numbers["measures"][::4] == [fit.r2 for fit in result.evaluation.per_target]
    labels = np.array(["a", "b", "c"])[np.digitize(targets, [0.1, 0.6])]
    result = relufit.train(inputs, labels, [3], loss="cross-entropy", **FAST)
    found = page(result, tmp_path, inputs, labels, validation=(inputs, labels))
    assert found.count("table") == 5  # of the network, the inputs, the measures, and counts of both sets of samples
    assert found.numbers["classes"] == 2 * result.classes.counts.ravel().tolist()
    assert found.numbers["measures"][0] == found.numbers["measures"][2] == result.classes.accuracy


def test_names_and_titles_are_escaped(data, tmp_path: Path) -> None:
    inputs, targets = data
    classes = np.where(targets > 0.5, "<i>\"&'", "{% raw %}")
    for loss, given, names in (("squared", targets, [EVIL[3]]), ("logistic", classes, [EVIL[1]])):
        result = relufit.train(inputs, given, [3], loss=loss, input_names=EVIL[:3], target_names=names, **FAST)
        found = page(result, tmp_path, inputs, given, title=EVIL[0], options={EVIL[1]: EVIL[2]})
        said = " ".join(found.texts)
        for name in (*EVIL[:3], *(sorted(set(classes)) if loss == "logistic" else [])):
            assert " ".join(name.split()) in said
        assert found.count("b") == found.count("script") == 0
        assert {label for tag, attributes in found.tags if tag == "svg" for label in [attributes["aria-label"]]} > set(
            EVIL[:3]
        )


def test_constraints_are_told_with_their_proofs(data, tmp_path: Path) -> None:
    inputs, targets = data
    constraints = {
        "monotone": [{"input": "x0", "target": "y0", "direction": "increasing"}],
        "weights": [{"layer": 1, "lower": -50, "upper": 50}],
        "outputs": [{"target": "y0", "lower": -1}],
    }
    result = relufit.train(inputs, targets, [4], constraints=constraints, **FAST)
    found = page(result, tmp_path, inputs, targets)
    assert found.numbers["constraints"] == [check.slack for check in result.constraints]
    said = " ".join(found.texts)
    assert said.count("holds") >= 3 and "violated" not in said
    assert "monotone[0]: y0 increasing in x0" in said and "s w s\u2032 \u2265 0" in said and "at the points named alone" in said


def test_every_constraint_has_a_proof(data) -> None:
    """What the checks are called, whatever the constraint, begins with a key of the proofs."""
    from relufit._report.content import PROOFS

    inputs, targets = data
    constraints = {
        "weights": [{"layer": 1, "lower": -50, "upper": 50}],
        "linear": [{"layer": 1, "sum": [{"unit": 1, "source": 1}], "upper": 90}],
        "monotone": [{"input": "x0", "target": "y0", "direction": "increasing"}],
        "curvature": [{"input": "x1", "target": "y0", "shape": "convex"}],
        "norms": [{"layer": 1, "norm": "rows", "at_most": 40}],
        "lipschitz": 100,
        "convex": True,
        "outputs": [{"target": "y0", "lower": -1e3, "upper": 1e3}],
        "hidden": [{"layer": 1, "at_most": 1e3}],
    }
    model = relufit.train(inputs, targets, [4], **FAST).model
    checks = relufit.core.check_constraints(relufit.core.load_constraints(constraints), model, inputs)
    assert len(checks) == len(constraints) == len(PROOFS)
    assert {check.name.split(":")[0].split("[")[0] for check in checks} == set(PROOFS)


def test_estimators(data, tmp_path: Path) -> None:
    inputs, targets = data
    rising = {"monotone": [{"input": "x0", "target": "y0", "direction": "increasing"}]}
    regressor = relufit.ReluRegressor((3,), max_iter=5, ridge=0.01, constraints=rising, random_state=3).fit(
        inputs, targets
    )
    found = page(regressor, tmp_path, inputs, targets, test=(inputs, targets))
    assert found.numbers["measures"][0] == pytest.approx(regressor.score(inputs, targets), rel=1e-12)
    assert "constraints" in found.sections and "random_state" in found.texts
    classifier = relufit.ReluClassifier((3,), ridge=0.01, max_iter=5).fit(inputs, targets > 0.5)
    found = page(classifier, tmp_path, inputs, targets > 0.5)
    assert found.numbers["measures"][0] == classifier.score(inputs, targets > 0.5)
    fan = relufit.ReluRegressor((3,), loss="quantile", loss_parameter=[0.1, 0.5, 0.9], ridge=0.01, max_iter=5)
    found = page(fan.fit(inputs, targets), tmp_path, inputs, targets)
    shares = (targets[:, None] <= fan.predict(inputs)).mean(axis=0)
    assert found.numbers["measures"][4::5] == shares.tolist()


def test_a_certificate_is_told(data, tmp_path: Path) -> None:
    inputs, targets = data
    result = relufit.train(inputs, targets, [3], **FAST)
    certificate = relufit.certify(result.model, inputs, targets, time_limit=1)
    found = page(result, tmp_path, inputs, targets, certificate=certificate)
    assert found.numbers["certificate"] == [certificate.objective, certificate.lower_bound, certificate.gap]


def test_a_lipschitz_bound_is_told_by_its_factors(data, tmp_path: Path) -> None:
    inputs, targets = data
    for skip in (False, True):
        result = relufit.train(inputs, targets, [4], constraints={"lipschitz": 3}, skip_connections=skip, **FAST)
        said = " ".join(page(result, tmp_path, inputs, targets).texts)
        for weights, _ in result.model.folded().layers:
            assert f"{np.linalg.svd(weights)[1][0]:.4g}" in said
        assert ("√" in said) == skip


def test_convex_demands_of_one_target_are_proven_together(data) -> None:
    inputs, targets = data
    demands = [{"input": name, "target": "y0", "shape": "convex"} for name in ("x0", "x2")]
    result = relufit.train(inputs, targets, [4], constraints={"curvature": demands}, **FAST)
    assert [check.name for check in result.constraints] == ["curvature: y0 convex in x0, x2"]


def test_many_inputs_are_counted_not_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(60, 40))
    inputs[:, 7] = 1.0  # constant
    result = relufit.train(inputs, inputs[:, 0], [2], **FAST)
    found = page(result, tmp_path, inputs, inputs[:, 0])
    assert len(found.numbers["responses"]) == 40 - 24
    labels = [attributes["aria-label"] for tag, attributes in found.tags if tag == "svg"]
    assert "x0" in labels and "x7" not in labels


def test_extreme_values_are_drawn(tmp_path: Path) -> None:
    """Places of a picture are finite numbers in its frame, whatever the data's size."""
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(30, 2)) * [1e-200, 1e150] + [0, 1e150]
    targets = 1e9 + rng.normal(size=30)
    result = relufit.train(inputs, targets, [2], **FAST)
    found = page(result, tmp_path, inputs, targets)
    for tag, attributes in found.tags:
        if tag == "polyline":
            places = np.array([pair.split(",") for pair in attributes["points"].split()], dtype=float)
            assert (places >= 0).all() and (places <= [360, 230]).all()


def test_what_cannot_be_written_or_does_not_fit_is_refused(data, tmp_path: Path) -> None:
    inputs, targets = data
    result = relufit.train(inputs, targets, [2], **FAST)
    path = tmp_path / "report.html"
    path.write_text("old")
    for arguments, message in (
        ((result, tmp_path / "none" / "a.html", inputs, targets), "does not exist"),
        ((result, tmp_path, inputs, targets), "is a folder"),
        ((result.model, path, inputs, targets), "source: Model, expected a TrainResult or a fitted estimator"),
        ((result, path, inputs[:, :2], targets), r"training: inputs of shape \(80, 2\), expected \(samples, 3\)"),
        ((result, path, inputs, targets[:-1]), "training: 79 targets for 80 samples"),
        ((result, path, inputs, np.full(80, np.nan)), r"training: targets of shape \(80, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            relufit.report(*arguments)
    with pytest.raises(ValueError, match=r"held out: expected a tuple \(inputs, targets\)"):
        relufit.report(result, path, inputs, targets, test=inputs)
    classes = relufit.train(inputs, targets > 0.5, [2], loss="logistic", **FAST)
    with pytest.raises(ValueError, match="held out: 'maybe' at sample 1, expected one of the model's classes"):
        relufit.report(classes, path, inputs, targets > 0.5, test=(inputs[:1], ["maybe"]))
    assert path.read_text() == "old" and [file.name for file in tmp_path.iterdir()] == ["report.html"]
