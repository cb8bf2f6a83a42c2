"""Run every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import control, tasks

if __name__ == "__main__":
    raise SystemExit(max(benchmark.main([]) for benchmark in (tasks, control)))
