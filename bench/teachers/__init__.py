"""Exact fits of networks drawn at random: relufit and its peers on the same problems in one run. See `__main__.py`."""
