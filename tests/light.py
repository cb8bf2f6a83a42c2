"""A plugin of pytest's that loads before all others: with it nbval's imports take 0.3 s instead of 2.3 s.

Each process of a run loads nbval, and each test that runs pytest does.
"""

from zumolib import light

with light.imports():
    import nbformat

__all__ = ["nbformat"]
