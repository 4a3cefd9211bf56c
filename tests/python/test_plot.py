"""Pictures: that they show what they say (how they look is for people to judge)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import relufit

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from relufit import plot  # noqa: E402


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def lines(ax) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {line.get_label(): line.get_data() for line in ax.get_lines()}


def test_trace(ax, tmp_path: Path) -> None:
    X = np.linspace(-1, 1, 30).reshape(-1, 1)
    result = relufit.train(X, np.abs(X), [2], iterations=50)
    assert plot.trace(result, ax=ax) is ax
    np.testing.assert_array_equal(lines(ax)["relative residual"][1], result.trace["fit"])
    np.testing.assert_array_equal(lines(ax)["largest |W H - C|"][0], result.trace["iteration"])
    np.testing.assert_array_equal(lines(ax)["merit: loss + weighted violations"][1], result.trace["merit"])
    assert ax.get_yscale() == "log"
    plot.comparison({"a": result, "b": result.trace}, against="iteration", ax=ax)
    assert (np.diff(lines(ax)["b"][1]) <= 0).all()
    ax.figure.savefig(tmp_path / "trace.png")


def test_fit_of_classes_is_not_called_a_residual(ax) -> None:
    X = np.linspace(-1, 1, 30).reshape(-1, 1)
    result = relufit.train(X, X[:, 0] ** 2 > 0.3, [2], loss="logistic", iterations=20)
    plot.trace(result, ax=ax)
    np.testing.assert_array_equal(lines(ax)["share on the wrong side"][0], result.trace["iteration"])
    assert "relative residual" not in lines(ax)
    plot.comparison({"a": result}, ax=ax)
    assert ax.get_ylabel() == "smallest share on the wrong side so far"


@pytest.mark.parametrize(("last", "scale"), [(0.5, "linear"), (0.05, "log")])
def test_comparison_is_logarithmic_over_a_factor_of_ten(ax, last: float, scale: str) -> None:
    plot.comparison({"a": {"fit": np.array([1.0, last]), "iteration": np.array([1, 2])}}, against="iteration", ax=ax)
    assert ax.get_yscale() == scale
    assert ax.get_ylabel() == "smallest relative residual so far"


def test_function_1d_marks_its_kinks(ax, tmp_path: Path) -> None:
    layers = [(np.array([[1.0], [2.0], [1.0]]), np.array([0.0, -1.0, 9.0])), (np.ones((1, 3)), np.zeros(1))]
    model = relufit.Model(layers)
    X = np.linspace(-1, 1, 11).reshape(-1, 1)
    plot.function_1d(model, X, X, ax=ax)
    np.testing.assert_allclose(lines(ax)["kinks of hidden units"][0], [0, 0.5])
    x, y = lines(ax)["network"]
    np.testing.assert_array_equal(y, model.predict(x[:, np.newaxis])[:, 0])
    ax.figure.savefig(tmp_path / "function.png")


def test_activation_regions_are_counted(ax, tmp_path: Path) -> None:
    """Three lines in general position cut the plane into seven regions, of which all meet the square."""
    weights, bias = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0.0, 0.0, -0.7])
    model = relufit.Model([(weights, bias), (np.ones((1, 3)), np.zeros(1))])
    plot.activation_regions(model, ranges=((-1, 1), (-1, 1)), ax=ax)
    assert ax.get_title() == "7 regions"
    ax.figure.savefig(tmp_path / "regions.png")


def test_regions_of_maxout_and_skipped_inputs(ax) -> None:
    """max(x, y) and, in the second layer, one that compares the inputs with 0."""
    first = (np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2))
    second = (np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), np.zeros(2))
    last = (np.ones((1, 3)), np.zeros(1))
    model = relufit.Model([first, second, last], activation="maxout", skip_connections=True)
    plot.activation_regions(model, ranges=((-1, 1), (-1, 1)), ax=ax)
    assert ax.get_title() == "4 regions"
    ax.clear()
    model = relufit.Model([(np.array([[1.0], [-1.0]]), np.array([0.0, 1.0])), (np.ones((1, 1)), np.zeros(1))],
                          activation="maxout")  # fmt: skip
    X = np.linspace(-1, 1, 11).reshape(-1, 1)
    plot.function_1d(model, X, X, ax=ax)
    np.testing.assert_allclose(lines(ax)["kinks of hidden units"][0], [0.5])


def test_equal_regions_have_equal_colors(ax) -> None:
    """Another order and orientation of the units: other patterns, the same regions."""
    weights, bias = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0.1, 0.0, -0.7])
    colors = []
    for sign in (1, -1):
        model = relufit.Model([(sign * weights[::sign], sign * bias[::sign]), (np.ones((1, 3)), np.zeros(1))])
        plot.activation_regions(model, ranges=((-1, 1), (-1, 1)), points=80, ax=ax)
        colors.append(np.asarray(ax.collections[0].get_array()))
        ax.clear()
    assert len(np.unique(colors[0])) == 7
    np.testing.assert_array_equal(colors[0], colors[1])


def test_function_2d(ax, tmp_path: Path) -> None:
    model = relufit.Model([(np.array([[1.0, -1.0]]), np.zeros(1))], "relu", target_names=["height"])
    plot.function_2d(model, np.ones((3, 2)), ranges=((-1, 1), (0, 2)), ax=ax)
    assert ax.get_xlim() == (-1, 1) and ax.get_ylim() == (0, 2)
    ax.figure.savefig(tmp_path / "function.png")


def test_bad_arguments_are_refused(ax) -> None:
    model = relufit.Model([(np.ones((1, 2)), np.zeros(1))])
    for call, message in (
        (lambda: plot.function_1d(model, ax=ax), "network: 2 inputs, expected 1"),
        (lambda: plot.function_2d(model, target=1, ax=ax), "target: 1, expected"),
        (lambda: plot.function_2d("model", ax=ax), "network: str, expected a Model"),
        (lambda: plot.trace(model, ax=ax), "source: Model, expected"),
        (lambda: plot.comparison({}, against="weeks", ax=ax), "against: 'weeks'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_ridge_shows_what_was_tried() -> None:
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((60, 2))
    targets = np.abs(inputs[:, 0]) + 0.1 * generator.standard_normal(60)
    result = relufit.train(inputs, targets, [3])
    estimator = relufit.ReluRegressor(hidden=(3,), random_state=0).fit(inputs, targets)
    for source in (result, estimator):
        _, ax = plt.subplots()
        assert plot.ridge(source, ax=ax) is ax
        points = ax.lines[0].get_xydata()
        np.testing.assert_array_equal(points, np.column_stack([result.ridge_choice.ridges, result.ridge_choice.held_out]))
        assert result.ridge_choice.ridge in ax.lines[-1].get_xdata()
    with pytest.raises(ValueError, match="expected a TrainResult or estimator that chose its ridge"):
        plot.ridge(relufit.train(inputs, targets, [3], ridge=0.1))
