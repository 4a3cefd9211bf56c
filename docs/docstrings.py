"""What autodoc needs to know about the docstrings of relufit.

They are plain text in which names stand in single backticks and formulas have | and *; documents are named as files,
and become links here. Functions of the extension module carry their signature in the first line.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r"(``.*?``|`[^`]*`)")
_FILE = re.compile(r"docs/([a-z-]+)\.md")
_SIGNATURE = re.compile(r"__init__\(self(?:, )?(.*)\) -> None$")
_PREFIXES = re.compile(r"\b(relufit\._core|collections\.abc|numpy\.typing|numpy)\.")


def process_docstring(app, what, name, obj, options, lines: list[str]) -> None:
    lines[:] = [line for line in lines if not _SIGNATURE.match(line) and not re.match(r"\(self\) -> ", line)]
    for i, line in enumerate(lines):
        parts = [part if part.startswith("`") else re.sub(r"([|*])", r"\\\1", part) for part in _QUOTED.split(line)]
        lines[i] = _FILE.sub(r":doc:`/docs/\1`", "".join(parts))
    if what == "property":
        lines.insert(0, "")  # or napoleon takes what stands before a colon for a type


def process_signature(app, what, name, obj, options, signature: str | None, returns: str | None):
    """Short names of types; the arguments of a class of the extension module from its __init__."""
    if what == "class" and obj.__module__ == "relufit._core":
        found = _SIGNATURE.match((obj.__init__.__doc__ or "").partition("\n")[0])
        signature, returns = (f"({found[1]})" if found else None), None
    short = [_PREFIXES.sub("", text) if text else text for text in (signature, returns)]
    return short[0], re.sub(r"ndarray\[.*?\]", "ndarray", short[1]) if short[1] else short[1]


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process_docstring, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", process_signature)
    return {"parallel_read_safe": True}
