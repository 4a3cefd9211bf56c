"""Largest values of piecewise affine functions of networks over polytopes, proven in floating point (docs/control.md)."""
