"""Run every benchmark, one after the other: each module of this package that has a ``main``."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import benchmarks


def found() -> Iterator[ModuleType]:
    """The benchmarks, by name."""
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name != "__main__":
            imported = import_module(f"benchmarks.{module.name}")
            if hasattr(imported, "main"):
                yield imported


if __name__ == "__main__":
    raise SystemExit(max(benchmark.main([]) for benchmark in found()))
