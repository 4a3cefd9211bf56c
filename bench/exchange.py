#!/usr/bin/env python3
"""Agreement of exported models with predict: ONNX by onnxruntime, C by the compiler, PyTorch; and exact round trips.

    python bench/exchange.py [--models N]

Random models of 1 to 4 layers, widths 1 to 50, all activations, with and without skip connections, linear and ReLU
outputs, scalings far from the identity (those of tests/python/models.py; PyTorch: those that it has). Prints the largest difference relative to the size of the targets, that of the probabilities of
as many classifications by ONNX ("probs"), and how many round trips through JSON, ONNX and PyTorch gave every number
back.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "python"))

from models import is_sequential, random_classifier, random_inputs, random_model, same, scaled_error  # noqa: E402

import relufit  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

SAMPLES = 20


def run_onnx(model: relufit.Model, inputs: np.ndarray, output: str = "outputs") -> np.ndarray:
    proto = model.to_onnx(dtype=inputs.dtype.name)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([output], {"inputs": inputs})[0]


def probability_error(seed: int, dtype: str) -> float:
    """Largest difference of the probabilities of a random classification; 0 where it has none."""
    model = random_classifier(seed)
    if model.classification.link == "none":
        return 0.0
    inputs = random_inputs(model, SAMPLES, seed).astype(dtype)
    return float(np.abs(run_onnx(model, inputs, "probabilities") - model.predict_proba(inputs)).max())


def run_c(model: relufit.Model, inputs: np.ndarray, folder: Path, name: str) -> np.ndarray:
    model.to_c(str(folder / "net.h"), name="net", dtype=inputs.dtype.name)
    real = {"float64": "double", "float32": "float"}[inputs.dtype.name]
    (folder / "net.c").write_text(
        f'#include "net.h"\nvoid run(const {real} *in, {real} *out) {{ net_predict(in, out); }}\n'
    )
    flags = "-std=c99 -Wall -Wextra -pedantic -Werror -shared -fPIC".split()
    library = folder / f"{name}.so"
    subprocess.run(["cc", *flags, "net.c", "-o", library], cwd=folder, check=True)
    function = ctypes.CDLL(str(library)).run
    outputs = np.empty((len(inputs), model.widths[-1]), dtype=inputs.dtype)
    for given, found in zip(np.ascontiguousarray(inputs), outputs):
        function(given.ctypes.data_as(ctypes.c_void_p), found.ctypes.data_as(ctypes.c_void_p))
    return outputs


def run_torch(model: relufit.Model, inputs: np.ndarray) -> np.ndarray:
    network = model.to_torch(getattr(torch, inputs.dtype.name))
    with torch.no_grad():
        return network(torch.from_numpy(inputs)).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=1000)
    count = parser.parse_args().models
    errors: dict[tuple[str, str], float] = {}
    exact, tried = {"JSON": 0, "ONNX": 0, "PyTorch": 0}, {"JSON": 0, "ONNX": 0, "PyTorch": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(count):
            model = random_model(seed)
            for dtype in ("float64", "float32"):
                inputs = random_inputs(model, SAMPLES, seed).astype(dtype)
                expected = model.predict(inputs)
                outputs = {"ONNX": run_onnx(model, inputs), "C": run_c(model, inputs, folder, f"net{seed}{dtype}")}
                if torch is not None and is_sequential(model):
                    outputs["PyTorch"] = run_torch(model, inputs)
                key = "probs", dtype
                errors[key] = max(errors.get(key, 0), probability_error(seed, dtype))
                for kind, found in outputs.items():
                    error = scaled_error(model, found, expected)
                    errors[kind, dtype] = max(errors.get((kind, dtype), 0), error)
            model.save(str(folder / "model.json"))
            exact["JSON"] += same(relufit.Model.load(str(folder / "model.json")), model)
            exact["ONNX"] += same(relufit.from_onnx(model.to_onnx(dtype="float64")), model.folded())
            tried["JSON"] += 1
            tried["ONNX"] += 1
            if torch is not None and is_sequential(model):
                tried["PyTorch"] += 1
                exact["PyTorch"] += same(relufit.from_torch(model.to_torch()), model.folded())
    for (kind, dtype), error in sorted(errors.items()):
        print(f"{kind:8} {dtype:8} largest difference {error:.1e}")
    for kind, number in exact.items():
        print(f"{kind:8} exact round trips {number} of {tried[kind]}")


if __name__ == "__main__":
    main()
