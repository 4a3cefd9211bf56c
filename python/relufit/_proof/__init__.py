"""Largest values of networks over polytopes, proven in floating point: docs/control.md, `relufit.control`."""
