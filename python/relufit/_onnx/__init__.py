"""ONNX: a Model as a graph, and back. The package onnx is imported only when used."""

from .reader import from_onnx
from .writer import to_onnx

__all__ = ["from_onnx", "to_onnx"]
