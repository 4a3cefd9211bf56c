"""docs/shapes.py: networks of the pictures are proven, and what the text beside them asks for is a constraint."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from relufit import core

pytest.importorskip("matplotlib")
DOCS = Path(__file__).resolve().parents[2] / "docs"
sys.path.insert(0, str(DOCS))

import shapes


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_pictures(name: str, tmp_path: Path) -> None:
    shapes.draw(name, tmp_path / "picture.svg")  # which checks the proof
    assert "<svg" in (tmp_path / "picture.svg").read_text()
    text = (DOCS / "constraints.md").read_text(encoding="utf-8")
    assert f"(shape_{name}.svg)" in text and (DOCS / f"shape_{name}.svg").is_file()
    (line,) = re.findall(rf"^\*\*{name.capitalize()}\.\*\* `(.*?)`:", text, flags=re.MULTILINE)
    core.Constraints.parse(line)
    input_name, target_name, _, kind, _ = shapes.SHAPES[name]
    renamed = line.replace(f'"{input_name}"', '"x0"').replace(f'"{target_name}"', '"y0"')
    assert json.loads(renamed) == shapes.constraint(kind)
