"""Runbooks: notebooks that find the cause of a trouble, cure it, and show that it is over.

::

    bench    the deployment that a runbook is bound to: asks the checks, plans and applies the cures
    cures    which action cures which finding
    copies   a dated copy of a runbook, with its reason, run or opened

A runbook's cells are thin: ``bench.diagnose``, ``bench.cures``, ``cures.apply``, ``bench.again``.
"""

from __future__ import annotations

from zumolib.runbooks.bench import Bench, bind

__all__ = ["Bench", "bind"]
