"""Columns: frames (pandas, polars, pyarrow) are taken by name, arrays by position; columns of text as inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ._core import find_levels
from ._labels import label_texts

Categories = Mapping[str, Sequence[str]]  # columns of text and their levels


def _columns(data: Any) -> list[Any]:
    names = getattr(data, "column_names", None)  # pyarrow, whose `columns` are data
    names = getattr(data, "columns", ()) if names is None else names
    return list(names) if isinstance(names, Iterable) else []


def input_names(inputs: Any) -> list[str] | None:
    """Names of the columns of a frame; None for an array, or where names are numbers, which are positions."""
    names = _columns(inputs)
    texts = [isinstance(name, str) for name in names]
    if any(texts) and not all(texts):
        text, other = names[texts.index(True)], names[texts.index(False)]
        raise ValueError(f"inputs: a frame with the column names {text!r} and {other!r}, expected texts")
    return [str(name) for name in names] if any(texts) else None


def target_names(targets: Any) -> list[str] | None:
    """Names of the columns of a frame, or the name of a series; None where there are none, or not for all."""
    names = _columns(targets) or [getattr(targets, "name", None)]
    return [str(name) for name in names] if all(isinstance(name, str) and name for name in names) else None


def in_order(frame: Any, wanted: Sequence[str]) -> Any:
    """The wanted columns of a frame, in their order; what is no frame with names as it is."""
    names = input_names(frame)
    if names is None or names == list(wanted):
        return frame
    missing = [name for name in wanted if name not in names]
    if missing:
        listed = ", ".join(map(repr, missing))
        raise ValueError(
            f"inputs: a frame without {listed}, expected the columns {', '.join(map(repr, wanted))} (arrays are taken "
            "by position)"
        )
    repeated = [name for name in wanted if names.count(name) > 1]
    if repeated:
        raise ValueError(f"inputs: a frame with several columns {repeated[0]!r}, expected one")
    return frame.select(list(wanted)) if hasattr(frame, "column_names") else frame[list(wanted)]


def texts(names: Sequence[Any], argument: str) -> list[str]:
    """Names as the library and its files hold them. `argument` is for messages."""
    found = [str(name) for name in names]
    for position, name in enumerate(found):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{argument}[{position}]: {name!r}, expected text that UTF-8 can hold") from None
    return found


_TEXT_TYPES = ("object", "category", "categorical", "string", "large_string", "str", "utf8", "enum", "dictionary")


def _holds_text(column: Any) -> bool:
    """By its type, as pandas, polars and pyarrow name them."""
    name = str(getattr(column, "type", getattr(column, "dtype", ""))).lower()
    return any(name == kind or name.startswith((f"{kind}(", f"{kind}<", f"{kind}[")) for kind in _TEXT_TYPES)


def _level_texts(frame: Any, column: str) -> list[str]:
    return label_texts(frame[column], f"inputs: column {column!r}", "a text")


def _categorical_columns(frame: Any, names: Sequence[str], categorical: Any) -> list[str]:
    if isinstance(categorical, str):
        if categorical != "from_dtype":
            raise ValueError(f'categorical: {categorical!r}, expected names of columns in a list, or "from_dtype"')
        return [name for name in names if _holds_text(frame[name])]
    columns = list(categorical)
    for position, column in enumerate(columns):
        if names.count(column) != 1:
            found = "no column" if column not in names else "several columns"
            raise ValueError(f"categorical: {found} {column!r}, expected one of {', '.join(map(repr, names))}")
        if column in columns[:position]:
            raise ValueError(f"categorical: {column!r} is named twice")
    return columns


def find_categories(inputs: Any, categorical: Any) -> dict[str, list[str]]:
    """The levels of columns of a frame: those that occur, sorted, or those that a categorical type of pandas declares.

    `categorical` has the names of the columns, or is "from_dtype" for all whose type is text or categories, or maps
    names to levels. ValueError where there is no such column, or where its texts are no levels.
    """
    names = input_names(inputs)
    if names is None:
        raise ValueError("categorical: given with an array, expected a frame, whose columns have names")
    categories = {}
    for column in _categorical_columns(inputs, names, categorical):
        if isinstance(categorical, Mapping):
            levels = texts(categorical[column], f"categorical[{column!r}]")
        else:
            declared = getattr(getattr(inputs[column], "cat", None), "categories", None)
            levels = _level_texts(inputs, column) if declared is None else [str(level) for level in declared]
            levels = find_levels(column, levels)
        categories[column] = levels
    return categories


def with_level_names(columns: Sequence[str], categories: Categories) -> list[str]:
    """Names of inputs: those of the levels in the place of their column."""
    return [
        name
        for column in columns
        for name in ([f"{column}={level}" for level in categories[column]] if column in categories else [column])
    ]


def _one_hot(frame: Any, column: str, levels: Sequence[str]) -> np.ndarray:
    positions = {level: position for position, level in enumerate(levels)}
    found = _level_texts(frame, column)
    for sample, text in enumerate(found):
        if text not in positions:
            listed = ", ".join(map(repr, levels[:20])) + (", ..." if len(levels) > 20 else "")
            raise ValueError(f"inputs: column {column!r}: {text!r} at sample {sample + 1}, expected one of {listed}")
    return np.eye(len(levels))[[positions[text] for text in found]]


def encoded(frame: Any, columns: Sequence[str], categories: Categories) -> np.ndarray:
    """These columns of a frame as numbers (samples, inputs): 0 and 1 for every level of columns of text."""
    blocks = []
    for column in columns:
        if column in categories:
            blocks.append(_one_hot(frame, column, categories[column]))
            continue
        try:
            blocks.append(np.asarray(frame[column], dtype=float)[:, np.newaxis])
        except (TypeError, ValueError):
            raise ValueError(
                f"inputs: column {column!r} does not hold numbers alone, expected them, or the column in categorical"
            ) from None
    return np.hstack(blocks)


def as_inputs(inputs: Any, wanted: Sequence[str], categories: Categories) -> Any:
    """Inputs of these names: of a frame by name, columns of text by their levels; what is no frame as it is."""
    names = input_names(inputs)
    if not categories or names is None or set(wanted) <= set(names):
        return in_order(inputs, wanted)
    column_of = {f"{column}={level}": column for column, levels in categories.items() for level in levels}
    columns = list(dict.fromkeys(column_of.get(name, name) for name in wanted))
    frame = in_order(inputs, columns)
    values, order = encoded(frame, columns, categories), with_level_names(columns, categories)
    return values if order == list(wanted) else values[:, [order.index(name) for name in wanted]]
