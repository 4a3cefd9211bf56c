"""Charts as SVG inside a page: no script, no fixed colors. The page's style sheet gives the classes their colors, light
or dark, and the size follows the column that a chart stands in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

SERIES = 6  # colors that the style sheet has
_WIDTH, _HEIGHT = 360, 230
_RIGHT, _TOP, _BOTTOM = 10, 10, 38
_LETTER = 6  # width of a digit of a tick
_MOST_POINTS = 500  # of a curve: more cannot be told apart, and would make large files
_SUPERSCRIPT = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


@dataclass(frozen=True)
class Curve:
    """Points (x, y), joined or not; `error`: half the length of a bar at each of them."""

    x: np.ndarray
    y: np.ndarray
    series: int = 0
    label: str = ""
    line: bool = True
    dots: bool = False
    dashed: bool = False
    error: np.ndarray | None = None


class _Axis:
    """From values to places, `begin` to `end`; logarithmic ones leave out what has no logarithm."""

    def __init__(self, values: Sequence[np.ndarray], logarithmic: bool) -> None:
        self.logarithmic, self.begin, self.end = logarithmic, 0.0, 1.0
        all_values = self._scaled(np.concatenate([np.empty(0), *values]))
        finite = all_values[np.isfinite(all_values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        if not high > low:
            low, high = low - max(0.5, 0.1 * abs(low)), high + max(0.5, 0.1 * abs(high))
        margin = 0.04 * (high - low)
        self.low, self.high = low - margin, high + margin

    def placed(self, begin: float, end: float) -> _Axis:
        self.begin, self.end = begin, end
        return self

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, dtype=float)
        if not self.logarithmic:
            return values
        return np.log10(values, out=np.full(values.shape, np.nan), where=values > 0)

    def places(self, values: np.ndarray) -> np.ndarray:
        share = (self._scaled(values) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and texts, three to seven of them."""
        span = self.high - self.low
        if self.logarithmic and span > 1.5:
            step = max(1, math.ceil(span / 6))
            exponents = range(math.ceil(self.low), math.floor(self.high) + 1)
            return [(self._place(k), _power(k)) for k in exponents[::step]]
        rough = span / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        numbers = np.arange(math.ceil(self.low / step), math.floor(self.high / step) + 1) * step
        digits = max(4, 1 + math.floor(math.log10(max(abs(self.low), abs(self.high)) / step)))  # ticks differ
        return [
            (self._place(value), f"{10**value:.4g}" if self.logarithmic else f"{value:.{digits}g}")
            for value in numbers.tolist()
        ]

    def _place(self, scaled: float) -> float:
        return self.begin + (scaled - self.low) / (self.high - self.low) * (self.end - self.begin)


def _power(exponent: int) -> str:
    return f"{10.0**exponent:g}" if abs(exponent) <= 3 else f"10{str(exponent).translate(_SUPERSCRIPT)}"


def _thinned(curve: Curve) -> Curve:
    """At most so many points, evenly among them, the last one with them."""
    if len(curve.x) <= _MOST_POINTS:
        return curve
    kept = np.unique(np.linspace(0, len(curve.x) - 1, _MOST_POINTS).astype(int))
    error = None if curve.error is None else curve.error[kept]
    return Curve(curve.x[kept], curve.y[kept], curve.series, curve.label, curve.line, curve.dots, curve.dashed, error)


def _drawn(curve: Curve, across: _Axis, up: _Axis) -> str:
    curve = _thinned(curve)
    x, y = across.places(curve.x), up.places(curve.y)
    seen = np.isfinite(x) & np.isfinite(y)
    points = [f"{a:.1f},{b:.1f}" for a, b in zip(x[seen].tolist(), y[seen].tolist())]
    color = f"s{curve.series % SERIES}"
    parts = []
    if curve.error is not None:
        lower, upper = up.places(curve.y - curve.error), up.places(curve.y + curve.error)
        lower = np.where(np.isfinite(lower), lower, up.begin)
        bars = "".join(f"M{a:.1f},{b:.1f}V{c:.1f}" for a, b, c in zip(x[seen], lower[seen], upper[seen]))
        parts.append(f'<path class="line {color}" d="{bars}"/>')
    if curve.line and len(points) > 1:
        dashed = " dashed" if curve.dashed else ""
        parts.append(f'<polyline class="line {color}{dashed}" points="{" ".join(points)}"/>')
    if points and (curve.dots or len(points) == 1):
        circles = "".join(f"M{point}h0" for point in points)  # round caps: a dot each, in one element
        parts.append(f'<path class="dots {color}" d="{circles}"/>')
    return "".join(parts)


def _frame(across: _Axis, up: _Axis, x_label: str, y_label: str) -> list[str]:
    """Grid, ticks and labels."""
    left, right, bottom = across.begin, across.end, up.begin
    parts = []
    for place, text in up.ticks():
        parts.append(f'<path class="grid" d="M{left},{place:.1f}H{right}"/>')
        parts.append(f'<text class="tick" x="{left - 5}" y="{place + 3.5:.1f}" text-anchor="end">{text}</text>')
    for place, text in across.ticks():
        parts.append(f'<path class="grid" d="M{place:.1f},{_TOP}V{bottom}"/>')
        parts.append(f'<text class="tick" x="{place:.1f}" y="{bottom + 13}" text-anchor="middle">{text}</text>')
    middle, height = (left + right) / 2, (_TOP + bottom) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(
        f'<text class="axis" x="12" y="{height}" text-anchor="middle" transform="rotate(-90 12 {height})">'
        f"{escape(y_label)}</text>"
    )
    return parts


def chart(
    title: str,
    curves: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    x_range: Sequence[float] = (),
    y_range: Sequence[float] = (),
    rug: np.ndarray | None = None,
    vertical: float | None = None,
    diagonal: bool = False,
) -> Markup:
    """A figure with its title and, where curves have labels, a legend.

    `x_range`, `y_range`: what the axes show at least; `rug`: x of marks along the axis; `vertical`: x of a line; `diagonal`: the
    line y = x, both axes then having one range.
    """
    xs, ys = [curve.x for curve in curves], [curve.y for curve in curves]
    ys += [part for c in curves if c.error is not None for part in (c.y - c.error, c.y + c.error)]
    xs, ys = [*xs, np.array(x_range)], [*ys, np.array(y_range)]
    bottom = _HEIGHT - _BOTTOM
    up = _Axis(xs + ys if diagonal else ys, log_y).placed(bottom, _TOP)
    left = 24 + _LETTER * max([3, *(len(text) for _, text in up.ticks())])
    across = _Axis(xs + ys if diagonal else xs, log_x).placed(left, _WIDTH - _RIGHT)
    parts = _frame(across, up, x_label, y_label)
    if diagonal:
        parts.append(f'<path class="guide" d="M{left},{bottom}L{_WIDTH - _RIGHT},{_TOP}"/>')
    if vertical is not None and np.isfinite(place := across.places(np.array(vertical))):
        parts.append(f'<path class="guide" d="M{place:.1f},{_TOP}V{bottom}"/>')
    if rug is not None:
        marks = "".join(f"M{place:.1f},{bottom}v-6" for place in across.places(rug))
        parts.append(f'<path class="rug" d="{marks}"/>')
    parts += [_drawn(curve, across, up) for curve in curves]
    legend = "".join(
        f'<span><i class="s{curve.series % SERIES}"></i>{escape(curve.label)}</span>' for curve in curves if curve.label
    )
    return Markup(
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>{legend and f"<p class=legend>{legend}</p>"}</figure>'
    )
