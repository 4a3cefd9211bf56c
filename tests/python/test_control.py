"""Proven largest errors, ranges and invariance: never below what is attained, and equal to it by other means."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
import relufit
from laws import grid, largest_error_at_vertices, law_of, law_values, maximum_by_milp, one_layer, random_law
from models import random_classifier, random_inputs, random_model

pytest.importorskip("highspy")
from relufit import control
from relufit._proof.programs import Cell, Programs

UNIT = control.box([-1.0, -1.0], [1.0, 1.0])


def relative(model: relufit.Model, values: np.ndarray) -> np.ndarray:
    """In units of the targets' scale."""
    return values / (model.target_scaling[1] + np.abs(model.target_scaling[0]))


@pytest.mark.parametrize("seed", range(24))
def test_range_of_random_networks(seed: int) -> None:
    """All activations, skip connections, ReLU outputs, scalings far from the identity."""
    model = random_model(seed, widest=4)
    offset, scale = model.input_scaling
    found = control.output_range(model, control.box(offset - scale, offset + scale))
    outputs = model.predict(np.random.default_rng(1).uniform(offset - scale, offset + scale, (20_000, len(offset))))
    assert found.status == "complete"
    assert (outputs <= found.upper).all() and (outputs >= found.lower).all()
    assert (outputs <= found.found_upper + 1e-9 * model.target_scaling[1]).all()
    gaps = np.append(found.upper - found.found_upper, found.found_lower - found.lower)
    size = np.tile(np.abs(outputs).max(axis=0) + model.target_scaling[1], 2)
    assert (gaps >= 0).all() and (gaps <= 2e-6 * size).all()
    for points, values in ((found.upper_points, found.found_upper), (found.lower_points, found.found_lower)):
        assert (np.abs(points - offset) <= scale * (1 + 1e-9)).all()
        again = np.diag(model.predict(points)) - values  # rounded as in another batch of points
        assert np.abs(relative(model, again)).max() < 1e-13


@pytest.mark.parametrize("widths", [(2, 5, 1), (2, 4, 3, 2), (3, 5, 4, 1), (1, 3, 3, 3, 1)])
def test_range_by_a_mixed_integer_program(widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(widths))
    model = relufit.Model([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in zip(widths, widths[1:])])
    lower, upper = -np.ones(widths[0]), np.arange(1.0, widths[0] + 1)
    found = control.output_range(model, control.box(lower, upper))
    for output in range(widths[-1]):
        expected = maximum_by_milp(model, lower, upper, output)
        assert found.upper[output] == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_error_at_vertices(seed: int) -> None:
    """One hidden layer: the largest error is where lines of units, regions and polytope meet."""
    inputs, outputs = 1 + seed % 3, 1 + seed // 4
    model, law = one_layer(seed, inputs, 5, outputs), random_law(seed + 100, inputs, outputs, 2)
    rng = np.random.default_rng(seed)
    rows, limits = control.box(-np.ones(inputs), np.ones(inputs))
    rows, limits = np.vstack([rows, rng.normal(size=(2, inputs))]), np.append(limits, [0.8, 0.9])
    found = control.law_error(model, (rows, limits), law)
    expected = largest_error_at_vertices(model, rows, limits, law)
    np.testing.assert_allclose(found.output_bounds, expected, rtol=2e-6, atol=1e-8)
    assert found.status == "complete" and found.bound == found.output_bounds.max()
    assert found.found == pytest.approx(expected.max(), rel=2e-6)
    assert (found.output_found <= found.output_bounds).all() and found.found == found.output_found.max()
    for output, point in enumerate(found.output_points):
        assert (rows @ point <= limits + 1e-12).all()
        errors = [
            abs(model.predict(point[np.newaxis])[0, output] - gain[output] @ point - offset[output])
            for a, b, gain, offset in law if (a @ point <= b + 1e-12).all()
        ]  # fmt: skip
        assert np.abs(np.array(errors) - found.output_found[output]).min() < 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_error_on_a_grid(seed: int) -> None:
    """Deep networks with all activations: no point of a fine grid is above the bound, and one is near it."""
    activation = ("relu", "leaky-relu", "absolute", "clipped-relu", "hard-tanh", "relu")[seed]
    rng = np.random.default_rng(seed)
    skips = 2 * (seed == 5)
    sizes = ((2, 4), (4 + skips, 3), (3 + skips, 2))
    layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in sizes]
    model = relufit.Model(layers, activation=activation, skip_connections=bool(skips))
    law = random_law(seed, 2, 2, 3)
    found = control.law_error(model, UNIT, law)
    points = grid(-np.ones(2), np.ones(2), 301)
    errors = np.abs(model.predict(points) - law_values(law, points, 0.0))
    assert np.isfinite(errors).all() and (errors <= found.output_bounds).all()
    assert found.bound - found.found <= 2e-6 * found.found
    assert errors.max() >= 0.97 * found.bound  # the grid's step is 1/150


def test_network_that_is_the_law() -> None:
    for seed in range(3):
        model = one_layer(seed, 2, 4)
        found = control.law_error(model, UNIT, law_of(model), tolerance=1e-12)
        assert found.status == "complete"
        assert found.found < 1e-14 and found.bound < 1e-10


def with_twins() -> relufit.Model:
    """Units that are equal, nearly equal, opposite, constant, without effect."""
    rng = np.random.default_rng(3)
    w, b = rng.normal(size=(2, 2)), rng.normal(size=2)
    weights = np.vstack([w, w, w * (1 + 1e-15), -w, w + 1e-9, np.zeros((3, 2))])
    bias = np.concatenate([b, b, b, -b, b, [-1.0, 0.0, 1.0]])
    after = rng.normal(size=(1, len(bias)))
    after[0, -1] = 0
    return relufit.Model([(weights, bias), (after, [0.5])])


def test_units_that_are_alike() -> None:
    model, law = with_twins(), random_law(2, 2, 1, 2)
    found = control.law_error(model, UNIT, law)
    expected = largest_error_at_vertices(model, *UNIT, law)
    assert found.status == "complete" and found.bound == pytest.approx(expected.max(), rel=1e-6)
    assert found.cells < 500  # not one for each pattern of twins
    points = grid(-np.ones(2), np.ones(2), 101)
    assert np.abs(model.predict(points) - law_values(law, points)).max() <= found.bound


def test_thin_regions() -> None:
    """A strip narrower than any grid, where the law is far from the network."""
    model = relufit.Model([([[1.0, 0.0]], [0.0]), ([[1.0]], [0.0])])
    width = 1e-7
    edges = [-1.0, 0.3, 0.3 + width, 1.0]
    law = [
        ([[1.0, 0.0], [-1.0, 0.0]], [right, -left], [[0.0, 0.0]], [offset])
        for left, right, offset in zip(edges, edges[1:], (0.0, 5.0, 0.0))
    ]
    found = control.law_error(model, UNIT, law)
    assert found.bound == pytest.approx(4.7, abs=1e-5) and found.found == pytest.approx(4.7, abs=1e-5)
    assert 0.3 - 1e-12 <= found.point[0] <= 0.3 + width + 1e-12
    # Of width zero its closed region is still one.
    law[1] = (law[1][0], [0.3, -0.3], *law[1][2:])
    law[2] = (law[2][0], [1.0, -0.3], *law[2][2:])
    assert control.law_error(model, UNIT, law).bound == pytest.approx(4.7, abs=1e-5)


def test_flat_polytope() -> None:
    model, law = one_layer(0, 2, 5), random_law(1, 2, 1, 2)
    along = control.law_error(model, control.box([0.25, -1], [0.25, 1]), law)
    points = np.column_stack([np.full(2001, 0.25), np.linspace(-1, 1, 2001)])
    errors = np.abs(model.predict(points) - law_values(law, points))
    assert errors.max() <= along.bound <= errors.max() * 1.01
    assert along.found == pytest.approx(along.bound, rel=1e-6) and along.point[0] == 0.25
    point = control.output_range(model, control.box([0.25, 0.5], [0.25, 0.5]))
    value = model.predict([[0.25, 0.5]])[0]
    assert point.lower <= value <= point.upper and point.upper - point.lower < 1e-12
    assert point.found_lower == point.found_upper == pytest.approx(value)


def test_units_of_the_inputs() -> None:
    """Timestamps and micrometres: the same problem in other units has the same error."""
    model, law = one_layer(4, 2, 5), random_law(5, 2, 1, 2)
    plain = control.law_error(model, UNIT, law)
    offset, scale = np.array([1.6e9, 3e-7]), np.array([1e3, 1e-6])
    other = relufit.Model(model.layers, input_scaling=(offset, scale))
    moved = [(a / scale, b + a / scale @ offset, k / scale, c - k / scale @ offset) for a, b, k, c in law]
    found = control.law_error(other, control.box(offset - scale, offset + scale), moved, tolerance=1e-8)
    assert found.bound == pytest.approx(plain.bound, rel=1e-5)
    assert found.found == pytest.approx(plain.bound, rel=1e-5)


@pytest.mark.parametrize("kind", ["noise", "nothing", "opposite"])
def test_bounds_hold_with_a_solver_that_errs(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever multipliers a solver gives, no point is above the bounds."""
    solve, rng = Programs._solve, np.random.default_rng(0)

    def wrong(self: Programs, costs: np.ndarray):
        solution = solve(self, costs)
        if solution is None or kind == "nothing":
            return None
        point, distance, y = solution
        return point, distance, -y if kind == "opposite" else y + 0.1 * rng.normal(size=len(y))

    model = one_layer(7, 2, 4)
    polytope = (np.vstack([UNIT[0], [[1.0, 1.0]]]), np.append(UNIT[1], 0.5))
    monkeypatch.setattr(Programs, "_solve", wrong)
    found = control.output_range(model, polytope)
    points = grid(-np.ones(2), np.ones(2), 201)
    outputs = model.predict(points[points.sum(axis=1) <= 0.5])
    assert found.lower <= outputs.min() and outputs.max() <= found.upper


def test_bound_of_a_cell_in_rational_arithmetic() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        rows, limits = rng.normal(size=(6, 3)), rng.normal(size=6)
        lower = rng.uniform(-1, 0, 3)
        upper = rng.uniform(lower, 1)
        costs, y = rng.normal(size=3), rng.uniform(0, 2, 6) * 10.0 ** rng.integers(-9, 9, 6)
        exact = sum(Fraction(a) * Fraction(b) for a, b in zip(y, limits))
        for k in range(3):
            r = Fraction(costs[k]) - sum(Fraction(a) * Fraction(b) for a, b in zip(y, rows[:, k]))
            exact += max(r * Fraction(lower[k]), r * Fraction(upper[k]))
        bound = Cell(rows, limits, lower, upper).bound(costs, y)
        assert Fraction(bound) >= exact
        assert bound - float(exact) < 1e-12 * (1 + y.sum()) * 10


def test_holes_of_a_law_are_found() -> None:
    model, law = one_layer(0, 2, 3), random_law(3, 2, 1, 3)
    inside = [region for region in law if not np.isnan(law_values([region], grid(-np.ones(2), np.ones(2), 101))).all()]
    assert len(inside) > 2
    control.law_error(model, UNIT, inside)
    for left_out in range(len(inside)):
        rest = inside[:left_out] + inside[left_out + 1 :]
        with pytest.raises(ValueError, match="law: x = .* is not proven to be in a region") as error:
            control.law_error(model, UNIT, rest)
        point = np.array(eval(re.search(r"x = (\[.*?\])", str(error.value))[1]))
        assert np.isnan(law_values(rest, point[np.newaxis])).all() and (np.abs(point) <= 1 + 1e-9).all()
    narrow = [(a, b - 1e-6, gain, offset) for a, b, gain, offset in inside]
    with pytest.raises(ValueError, match="or a larger tolerance"):
        control.law_error(model, UNIT, narrow)
    assert control.law_error(model, UNIT, narrow, tolerance=1e-5).status == "complete"
    trivial = [(np.vstack([a, [[0, 0]]]), np.append(b, 0.0), gain, offset) for a, b, gain, offset in inside]
    never = (np.zeros((1, 2)), [-1.0], [[0.0, 0.0]], [1e3])
    assert control.law_error(model, UNIT, [*trivial, never]).bound == control.law_error(model, UNIT, inside).bound


def test_regions_far_away() -> None:
    """Most of a law may be outside of the polytope, and sides of its regions very far."""
    model, law = one_layer(1, 1, 3), random_law(58, 1, 1, 2)
    far = [(np.vstack([a, [[1.0], [-1.0]]]), np.append(b, [1e6, 1e6]), gain, offset) for a, b, gain, offset in law]
    elsewhere = (np.array([[1.0]]), np.array([-50.0]), np.zeros((1, 1)), np.array([1e3]))
    law = [*far, elsewhere, (np.array([[-1e-3]]), *elsewhere[1:])]
    found = control.law_error(model, control.box([-1.0], [0.5]), law)
    points = np.linspace(-1, 0.5, 1001)[:, np.newaxis]
    errors = np.abs(model.predict(points) - law_values(law, points)).max()
    assert errors <= found.bound <= 1.01 * errors


def test_time_limit_gives_a_bracket() -> None:
    rng = np.random.default_rng(0)
    model = relufit.Model([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in ((2, 12), (12, 12), (12, 1))])
    law = random_law(1, 2, 1, 2)
    whole, none = (control.law_error(model, UNIT, law, time_limit=seconds) for seconds in (np.inf, 0))
    assert whole.status == "complete" and none.status == "time_limit" and none.cells == 0
    assert whole.bound < none.bound < np.inf and np.isnan(none.point).all()
    some = control.law_error(model, UNIT, law, accuracy=0.5)
    assert some.found <= whole.bound <= some.bound <= 1.5 * some.found + 1e-9 and some.cells < whole.cells


def test_invariance_of_a_linear_loop() -> None:
    """A network that is K x: the successor's largest coordinates over a box are sums of magnitudes."""
    a, b, gain = np.array([[0.9, 0.3], [-0.2, 0.7]]), np.array([[0.1], [0.5]]), np.array([[-0.4, -0.3]])
    model = relufit.Model([(np.vstack([gain, -gain]), [0.0, 0.0]), ([[1.0, -1.0]], [0.0])])
    closed = a + b @ gain
    for factor, status in ((1.0, "violated"), (0.7, "invariant")):
        found = control.invariance(model, UNIT, factor * a, factor * b)
        expected = 1 - factor * np.abs(closed).sum(axis=1)
        np.testing.assert_allclose(found.slack, np.tile(expected, 2), atol=1e-9)
        np.testing.assert_allclose(found.found, np.tile(expected, 2), atol=1e-9)
        assert found.status == status
    shifted = control.invariance(model, UNIT, 0.7 * a, 0.7 * b, offset=[0.1, 0.0])
    np.testing.assert_allclose(shifted.slack - found.slack, [-0.1, 0, 0.1, 0], atol=1e-9)
    on_the_side = control.invariance(model, UNIT, np.eye(2), np.zeros((2, 1)))
    assert on_the_side.status == "open" and np.abs(on_the_side.slack).max() < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_invariance_on_a_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = relufit.Model([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in ((2, 5), (5, 3), (3, 2))])
    a, b = rng.normal(size=(2, 2)) / 3, rng.normal(size=(2, 2)) / 20
    rows, limits = np.vstack([UNIT[0], [[1.0, 1.0]]]), np.append(UNIT[1], 1.2)
    found = control.invariance(model, (rows, limits), a, b)
    points = grid(-np.ones(2), np.ones(2), 201)
    points = points[(points @ rows.T <= limits).all(axis=1)]
    slack = limits - (points @ a.T + model.predict(points) @ b.T) @ rows.T
    assert (slack.min(axis=0) >= found.slack).all()
    assert (slack.min(axis=0) <= found.slack + 0.05).all()
    assert found.status == ("invariant" if (found.slack >= 0).all() else "violated")


def test_scores_of_classes() -> None:
    model = random_classifier(3, widest=3)
    points = random_inputs(model, 200)
    found = control.output_range(model, control.box(points.min(axis=0), points.max(axis=0)), accuracy=1e-3)
    outputs = model.predict(points)
    assert (outputs <= found.upper).all() and (outputs >= found.lower).all()
    with pytest.raises(ValueError, match="model: of classes"):
        control.law_error(model, control.box(points.min(axis=0), points.max(axis=0)), [])


ROWS, LIMITS = UNIT
WHOLE = ([[1.0, 0.0]], [2.0], [[0.0, 0.0]], [0.0])


@pytest.mark.parametrize(
    ("polytope", "law", "options", "message"),
    [
        ((ROWS[:3], LIMITS[:3]), [WHOLE], {}, r"polytope: not bounded, x\[1\] has no bound below"),
        ((np.zeros((0, 2)), np.zeros(0)), [WHOLE], {}, "polytope: not bounded"),
        ((ROWS, [1, 1, -2, 1]), [WHOLE], {}, "polytope: empty"),
        ((np.vstack([ROWS, [[-1, -1]]]), [*LIMITS, -2.001]), [WHOLE], {}, "polytope: empty"),
        ((np.vstack([ROWS, [[0, 0]]]), [*LIMITS, -1]), [WHOLE], {}, "polytope: empty"),
        ((ROWS, LIMITS[:3]), [WHOLE], {}, r"polytope, b: shape \(3,\), expected \(4\)"),
        ((ROWS[:, :1], LIMITS), [WHOLE], {}, r"polytope, A: shape \(4, 1\), expected \(any, 2\)"),
        ((ROWS * np.nan, LIMITS), [WHOLE], {}, "polytope, A: not finite"),
        (ROWS, [WHOLE], {}, r"polytope: expected a pair \(A, b\)"),
        (None, [WHOLE], {}, r"polytope: expected a pair \(A, b\)"),
        (UNIT, [], {}, "law: no region"),
        (UNIT, None, {}, "law: NoneType, expected regions"),
        (UNIT, [WHOLE, WHOLE[:3]], {}, r"law, region 1: expected \(A, b, K, k\)"),
        (UNIT, [(*WHOLE[:2], [[0.0]], [0.0])], {}, r"law, region 0, K: shape \(1, 1\), expected \(1, 2\)"),
        (UNIT, [(*WHOLE[:3], [0.0, 0.0])], {}, r"law, region 0, k: shape \(2,\), expected \(1\)"),
        (UNIT, [(*WHOLE[:3], ["x"])], {}, "law, region 0, k: list, expected numbers"),
        (UNIT, [WHOLE], {"tolerance": -1}, "tolerance: -1, expected a number >= 0"),
        (UNIT, [WHOLE], {"accuracy": np.nan}, "accuracy: nan, expected"),
        (UNIT, [WHOLE], {"time_limit": "1"}, "time_limit: '1', expected"),
    ],
)
def test_bad_input(polytope, law, options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        control.law_error(one_layer(0, 2, 3), polytope, law, **options)


def test_bad_input_of_others() -> None:
    model = one_layer(0, 2, 3)
    with pytest.raises(ValueError, match="model: int, expected a relufit.Model"):
        control.output_range(1, UNIT)
    with pytest.raises(ValueError, match=r"A: shape \(1, 2\), expected \(2, 2\)"):
        control.invariance(model, UNIT, [[1, 0]], [[1], [1]])
    with pytest.raises(ValueError, match=r"B: shape \(2, 2\), expected \(2, 1\)"):
        control.invariance(model, UNIT, np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match=r"offset: shape \(1,\), expected \(2\)"):
        control.invariance(model, UNIT, np.eye(2), [[1], [1]], offset=[1])
    with pytest.raises(ValueError, match=r"lower: 2.0 of x\[1\], expected at most upper, 1.0"):
        control.box([0, 2], [1, 1])


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    control.output_range(one_layer(0, 2, 3), UNIT)
    assert capfd.readouterr() == ("", "")
