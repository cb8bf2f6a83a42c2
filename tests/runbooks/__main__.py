"""Store the runbooks' outputs, as a healthy embedded stack gives them: ``python -m tests.runbooks``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat

import tests.conftest  # a clean environment
from tests.notebooks import execute
from tests.runbooks.deployments import embedded
from tests.runbooks.validation import RUNBOOKS


def main() -> None:
    """Run each on a stack of its own and write it in place."""
    assert tests.conftest.SESSION_HOME
    with tempfile.TemporaryDirectory(prefix="zumo-runbooks-") as folder, embedded(Path(folder)) as d:
        for path in sorted(RUNBOOKS.glob("*.ipynb")):
            print(f"running {path.name}", flush=True)
            nbformat.write(execute(path, d.environment), path)


if __name__ == "__main__":
    main()
