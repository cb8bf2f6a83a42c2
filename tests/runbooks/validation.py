"""Run a runbook by nbval: it must say what is expected in the cells that hold verdicts, and fail nowhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from zumolib.conf import PROJECT

RUNBOOKS = PROJECT / "notebooks" / "runbooks"
CELL_SECONDS = 180


def find(runbook: str) -> Path:
    """The notebook of a runbook."""
    [path] = RUNBOOKS.glob(f"*-{runbook}.ipynb")
    return path


def with_expectations(runbook: str, parameters: dict[str, Any], verdicts: list[str], folder: Path) -> Path:
    """A copy with other parameters, whose verdict cells carry what they must give."""
    notebook = nbformat.read(find(runbook), as_version=4)
    waited_for = iter(verdicts)
    for position, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code":
            continue
        cell.execution_count = position + 1  # nbval compares no cell that never ran
        cell.outputs = []
        if "parameters" in tags:
            cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
        if "verdict" in tags:
            data = {"text/plain": repr(next(waited_for))}
            cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=position + 1)]
            cell.metadata["tags"] = [*tags, "nbval-check-output"]
    path = folder / f"{runbook}.ipynb"
    nbformat.write(notebook, path)
    return path


def nbval(paths: Sequence[Path], environment: dict[str, str], *, lax: bool) -> None:
    """Run nbval; without `lax` every output must be the stored one."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax" if lax else "--nbval", "--nbval-current-env",
               f"--nbval-cell-timeout={CELL_SECONDS}", "-q", "-p", "no:cacheprovider", "-p", "nbval.plugin",
               "--rootdir", str(paths[0].parent), "-c", "/dev/null", *map(str, paths)]  # fmt: skip
    alone = environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # half of its start is other plugins
    done = subprocess.run(
        command, env=alone, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
