"""Names of columns: frames (pandas, polars, pyarrow) are taken by name, arrays by position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


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
