"""What a measurement was made on and with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(program: Path) -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in ("numpy", "scipy", "scikit-learn", "torch", "pyscnn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    printed = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return found | {"relufit": printed.split()[-1]}


def description(program: Path) -> dict:
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "cores_used": 1,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(program),
    }
