"""nbformat for tests and the processes that they start: 0.3 s of a processor, and 2.3 s without :mod:`zumolib.light`.

For the same reason pytest loads nbval, which imports it before any module of ours, only where it is named.
"""

from zumolib import light

with light.imports():
    import nbformat

__all__ = ["nbformat"]
