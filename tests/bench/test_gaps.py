"""bench/certificate.py: what a row says of one small set."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import certificate  # noqa: E402


def test_row_of_a_small_set() -> None:
    sets = certificate.small_sets()
    assert all(len(inputs) == len(targets) and np.isfinite(inputs).all() for inputs, targets in sets.values())
    result = certificate.run_set(sets["linnerud"], ridge=0.1, seconds=5)
    assert result["status"] == "complete"
    assert 0 <= result["gap"] < 0.05
    assert all(result[f"objective {width}"] >= result["lower_bound"] for width in certificate.WIDTHS)
    assert certificate.row("linnerud", result).startswith("| linnerud | 20 x 3, 3 | ")
