"""Random models, and what they are compared with: plain NumPy."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from models import random_model  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Shells start background jobs with SIGINT ignored, and Python leaves it so: tests of Ctrl-C would never end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    values = np.loadtxt(REPOSITORY / "data" / "diabetes.csv", delimiter=",", skiprows=1)
    return values[:, :-1], values[:, -1]


@pytest.fixture(params=range(12))
def model(request: pytest.FixtureRequest):
    return random_model(request.param)
