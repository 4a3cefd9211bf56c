"""Exact fits with several hidden layers: relufit and its peers at equal processor time. See `__main__.py`."""
