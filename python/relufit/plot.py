"""Pictures of training and of networks (needs matplotlib: `pip install relufit[plot]`).

Every function draws into `ax`, by default the current axes of pyplot, and returns it. A `network` is a relufit.Model,
or an estimator or result that holds one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._core import Model, TrainResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["activation_regions", "comparison", "function_1d", "function_2d", "ridge", "trace"]

Range = tuple[float, float]

# What the columns of a trace are called where they are drawn, but for "fit", of which `fit_label` tells.
TRACE_CURVES = {
    "merit": "merit: loss + weighted violations",
    "objective": "objective of the relaxation",
    "pair": "largest |h s|",
    "product": "largest |W H - C|",
}


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("relufit.plot needs the package matplotlib: pip install 'relufit[plot]'") from error
    return plt.gca()


def _model(network: Any) -> Model:
    model = getattr(network, "model_", getattr(network, "model", network))
    if not isinstance(model, Model):
        raise ValueError(f"network: {type(network).__name__}, expected a Model or a fitted estimator")
    return model


def _trace(source: Any) -> Mapping[str, np.ndarray]:
    trace = source.trace if isinstance(source, TrainResult) else getattr(source, "trace_", source)
    if not isinstance(trace, Mapping) or "fit" not in trace:
        raise ValueError(f"source: {type(source).__name__}, expected a TrainResult, a fitted estimator or a trace")
    return trace


def _positive(values: np.ndarray) -> np.ndarray:
    """For logarithmic axes: a gap where a value is zero."""
    return np.where(values > 0, values, np.nan)


def fit_label(sources: Iterable[Any]) -> str:
    """What "fit" of a trace is. A bare trace does not say; the losses of numbers are meant then."""
    models = [getattr(source, "model_", getattr(source, "model", source)) for source in sources]
    models = [model if isinstance(model, Model) else None for model in models]
    classes = [model is not None and model.classification is not None for model in models]
    return "share on the wrong side" if classes and all(classes) else "relative residual"


def ridge(source: Any, *, ax: Axes | None = None) -> Axes:
    """Mean loss of held-out samples for every ridge that was tried, with its standard error, and the one chosen.

    Parameters
    ----------
    source : TrainResult, or fitted estimator, that chose its ridge
    ax : matplotlib Axes
        To draw into; default: the current one.
    """
    choice = getattr(source, "ridge_choice", None)
    path = getattr(source, "ridge_path_", None)
    if choice is not None:
        path = {name: getattr(choice, name) for name in ("held_out", "standard_error")} | {"ridge": choice.ridges}
    if path is None:
        raise ValueError(f"source: {type(source).__name__}, expected a TrainResult or estimator that chose its ridge")
    axes = _axes(ax)
    axes.errorbar(path["ridge"], path["held_out"], path["standard_error"], marker="o", capsize=3)
    axes.axvline(choice.ridge if choice is not None else source.ridge_, color="0.6", linestyle="--", label="chosen")
    axes.set(xscale="log", xlabel="ridge", ylabel="mean held-out loss, scaled units")
    axes.legend()
    return axes


def trace(source: Any, *, ax: Axes | None = None) -> Axes:
    """Violations, fit, objective and merit per iteration, on a logarithmic axis.

    Violations are the largest ``|h s|`` of a hidden unit and sample, and the largest entry of ``|W H - C|``, of the
    relaxation's solution; the fit is that of the plain network with its weights: relative residual, for classes the
    share of samples on the wrong side. The merit is the exact penalty, which the objective bounds from above while the
    scales are small (docs/strategies.md). All in scaled units; values that are zero are not drawn.

    Parameters
    ----------
    source : TrainResult, fitted estimator, or trace of one of them
    ax : matplotlib Axes
        To draw into; default: the current one.
    """
    axes, records = _axes(ax), _trace(source)
    labels = {**TRACE_CURVES, "fit": fit_label([source])}
    curves = (
        ("merit", "0.7", "-", 2.4),
        ("objective", "0.2", "--", 1.2),
        ("fit", "C0", "-", 1.4),
        ("pair", "C1", "-", 1.4),
        ("product", "C2", "-", 1.4),
    )
    for name, color, style, width in curves:
        values = _positive(np.asarray(records[name]))
        if np.isfinite(values).any():
            axes.plot(records["iteration"], values, style, color=color, label=labels[name], linewidth=width)
    axes.set(yscale="log", xlabel="iteration", ylabel="scaled units")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(framealpha=0.8, edgecolor="none")
    return axes


def comparison(sources: Mapping[str, Any], *, against: str = "seconds", ax: Axes | None = None) -> Axes:
    """Smallest fit so far against time or iterations, one curve per run.

    The axis of the fit is logarithmic where it spans a factor of ten, that of the seconds always.

    Parameters
    ----------
    sources : mapping
        From labels to what `trace` takes.
    against : {"seconds", "iteration"}
    ax : matplotlib Axes
        To draw into; default: the current one.
    """
    if against not in ("seconds", "iteration"):
        raise ValueError(f"against: {against!r}, expected 'seconds' or 'iteration'")
    axes = _axes(ax)
    curves = {label: np.minimum.accumulate(np.asarray(_trace(source)["fit"])) for label, source in sources.items()}
    for label, best in curves.items():
        axes.step(_trace(sources[label])[against], _positive(best), where="post", label=label, linewidth=1.4)
    axes.set(xlabel=against, ylabel=f"smallest {fit_label(sources.values())} so far")
    values = np.concatenate([np.empty(0), *curves.values()])
    values = values[values > 0]
    if values.size and values.max() >= 10 * values.min():
        axes.set(yscale="log")
    if against == "seconds":
        axes.set(xscale="log")  # methods differ by orders of magnitude
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(framealpha=0.8, edgecolor="none")
    return axes


def _check_sizes(model: Model, inputs: int, target: int) -> None:
    if model.widths[0] != inputs:
        raise ValueError(f"network: {model.widths[0]} inputs, expected {inputs}")
    if not 0 <= target < model.widths[-1]:
        raise ValueError(f"target: {target}, expected a number from 0 to {model.widths[-1] - 1}")


def _default_range(model: Model, column: int) -> Range:
    """Two standard deviations of the training inputs about their mean, as the scaling knows them."""
    offset, scale = model.input_scaling
    return float(offset[column] - 2 * scale[column]), float(offset[column] + 2 * scale[column])


def _range(data: np.ndarray | None, model: Model, column: int, given: Range | None) -> Range:
    if given is not None:
        return given
    if data is None:
        return _default_range(model, column)
    low, high = float(np.min(data[:, column])), float(np.max(data[:, column]))
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def function_1d(
    network: Any,
    inputs: Any = None,
    targets: Any = None,
    *,
    x_range: Range | None = None,
    target: int = 0,
    kinks: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """The function of a network with one input.

    Parameters
    ----------
    network : Model, or what holds one
    inputs : array (samples,) or (samples, 1)
        Range and, with targets, data to draw.
    targets : array (samples,) or (samples, outputs)
        Data to draw, with `inputs`.
    x_range : (float, float)
        Default: that of the inputs, else two standard deviations about the mean of the training inputs.
    target : int
        Which output, from 0.
    kinks : bool
        Whether to mark where units of the first hidden layer switch.
    ax : matplotlib Axes
        To draw into; default: the current one.
    """
    model, axes = _model(network), _axes(ax)
    _check_sizes(model, 1, target)
    data = None if inputs is None else np.asarray(inputs, dtype=float).reshape(-1, 1)
    low, high = _range(data, model, 0, x_range)
    grid = np.linspace(low, high, 1001)
    weights, bias = (_switches(model, part.T)[0] for part in model.folded().layers[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        places = -bias / weights
    places = np.sort(places[np.isfinite(places) & (places > low) & (places < high)])
    grid = np.sort(np.concatenate([grid, places]))
    if data is not None and targets is not None:
        values = np.asarray(targets, dtype=float).reshape(len(data), -1)[:, target]
        axes.plot(data[:, 0], values, ".", color="0.6", markersize=5, label="data")
    axes.plot(grid, model.predict(grid[:, np.newaxis])[:, target], color="C0", linewidth=1.6, label="network")
    if kinks and len(places):
        heights = model.predict(places[:, np.newaxis])[:, target]
        axes.plot(places, heights, "o", color="C3", markersize=5, fillstyle="none", label="kinks of hidden units")
    axes.set(xlabel=model.input_names[0], ylabel=model.target_names[target])
    axes.legend(framealpha=0.8, edgecolor="none")
    return axes


def _grid_2d(model: Model, data: np.ndarray | None, ranges: Sequence[Range] | None, points: int) -> list[np.ndarray]:
    given = (None, None) if ranges is None else tuple(ranges)
    return [np.linspace(*_range(data, model, column, given[column]), points) for column in range(2)]


def function_2d(
    network: Any,
    inputs: Any = None,
    *,
    ranges: Sequence[Range] | None = None,
    target: int = 0,
    points: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """The function of a network with two inputs, as filled contours with a color bar.

    Parameters
    ----------
    network : Model, or what holds one
    inputs : array (samples, 2)
        Data to draw, too.
    ranges : pair of (float, float)
        Of the two inputs; default: those of the data, else two standard deviations about the mean of the training
        inputs.
    target : int
        Which output, from 0.
    points : int
        Of the grid, in each direction.
    ax : matplotlib Axes
        To draw into; default: the current one.
    """
    model, axes = _model(network), _axes(ax)
    _check_sizes(model, 2, target)
    data = None if inputs is None else np.asarray(inputs, dtype=float)
    first, second = _grid_2d(model, data, ranges, points)
    values = model.predict(np.column_stack([grid.ravel() for grid in np.meshgrid(first, second)]))[:, target]
    filled = axes.contourf(first, second, values.reshape(points, points), levels=24, cmap="viridis")
    axes.figure.colorbar(filled, ax=axes, label=model.target_names[target])
    if data is not None:
        axes.plot(
            data[:, 0], data[:, 1], ".", color="white", markeredgecolor="black", markeredgewidth=0.4, markersize=5
        )
    axes.set(xlabel=model.input_names[0], ylabel=model.input_names[1])
    return axes


def activation_regions(
    network: Any,
    inputs: Any = None,
    *,
    ranges: Sequence[Range] | None = None,
    points: int = 400,
    ax: Axes | None = None,
) -> Axes:
    """The regions of a network with two inputs on which it is affine.

    One color per pattern of active hidden units, and a line where a unit switches, thinner for later layers. The title
    counts the patterns that the grid meets.

    Parameters
    ----------
    network : Model, or what holds one
    inputs : array (samples, 2)
        Data to draw, too.
    ranges : pair of (float, float)
        As in `function_2d`.
    points : int
        Of the grid, in each direction.
    ax : matplotlib Axes
        To draw into; default: the current one.
    """
    from matplotlib.colors import ListedColormap

    model, axes = _model(network), _axes(ax)
    _check_sizes(model, 2, 0)
    data = None if inputs is None else np.asarray(inputs, dtype=float)
    first, second = _grid_2d(model, data, ranges, points)
    grid = np.column_stack([axis.ravel() for axis in np.meshgrid(first, second)])
    values, arguments = grid, []  # of the units, less the thresholds where they switch
    for weights, bias in model.folded().layers[:-1]:
        if arguments and model.skip_connections:
            values = np.hstack([values, grid])
        argument = values @ weights.T + bias
        arguments.append(np.hstack([_switches(model, argument) - threshold for threshold in _thresholds(model)]))
        values = _activated(model, argument)
    patterns = np.packbits(np.hstack(arguments) > 0, axis=1)
    _, first_seen, regions = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    # Numbered as they appear, not by their patterns: the same regions look the same whatever the order of the units.
    regions = np.argsort(np.argsort(first_seen))[regions.ravel()].reshape(points, points)
    colors = ListedColormap([_pastel(number) for number in range(regions.max() + 1)])
    axes.pcolormesh(first, second, regions, cmap=colors, vmin=-0.5, vmax=regions.max() + 0.5, shading="nearest",
                    rasterized=True)  # fmt: skip
    for layer, argument in enumerate(arguments):
        for unit in argument.T:
            if unit.min() < 0 < unit.max():
                axes.contour(first, second, unit.reshape(points, points), levels=[0], colors="0.25",
                             linewidths=1.4 / (1 + layer))  # fmt: skip
    if data is not None:
        axes.plot(data[:, 0], data[:, 1], ".", color="black", markersize=3)
    axes.set(xlabel=model.input_names[0], ylabel=model.input_names[1], title=f"{regions.max() + 1} regions")
    return axes


def _thresholds(model: Model) -> tuple[float, ...]:
    """Where the hidden units' activation is not smooth."""
    return {"clipped-relu": (0, model.activation_parameter), "hard-tanh": (-1, 1)}.get(model.activation, (0,))


def _switches(model: Model, arguments: np.ndarray) -> np.ndarray:
    """What units (columns) compare with these: their argument, of maxout the difference of the two."""
    if model.activation != "maxout" or len(model.widths) == 2:
        return np.atleast_2d(arguments)
    return np.subtract(*np.split(np.atleast_2d(arguments), 2, axis=1))


def _activated(model: Model, arguments: np.ndarray) -> np.ndarray:
    parameter = model.activation_parameter
    if model.activation == "maxout":
        return np.maximum(*np.split(arguments, 2, axis=1))
    if model.activation == "relu":
        return np.maximum(arguments, 0)
    if model.activation == "leaky-relu":
        return np.maximum(arguments, parameter * arguments)
    if model.activation == "absolute":
        return np.abs(arguments)
    return np.clip(arguments, *_thresholds(model))


def _pastel(number: int) -> tuple[float, float, float]:
    """Golden-ratio steps of the hue, and steps of the lightness, keep regions with neighbouring numbers apart."""
    from colorsys import hls_to_rgb

    return hls_to_rgb((0.1 + 0.61803398875 * number) % 1, (0.9, 0.74, 0.82)[number % 3], 0.55)
