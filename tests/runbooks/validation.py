"""Run a runbook by nbval: it must say what is expected in the cells that hold verdicts, and fail nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.light import nbformat
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
    _set(notebook, parameters)
    waited_for = iter(verdicts)
    for position, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code":
            continue
        cell.execution_count = position + 1  # nbval compares no cell that never ran
        cell.outputs = []
        if "verdict" in tags:
            data = {"text/plain": repr(next(waited_for))}
            cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=position + 1)]
            cell.metadata["tags"] = [*tags, "nbval-check-output"]
    path = folder / f"{runbook}.ipynb"
    nbformat.write(notebook, path)
    return path


def with_parameters(runbook: str, parameters: dict[str, Any], folder: Path) -> Path:
    """A copy with other parameters that keeps the stored outputs."""
    notebook = nbformat.read(find(runbook), as_version=4)
    _set(notebook, parameters)
    path = folder / f"{runbook}.ipynb"
    nbformat.write(notebook, path)
    return path


def _set(notebook: nbformat.NotebookNode, parameters: dict[str, Any]) -> None:
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())


class Validator:
    """A process that has nbval's parts loaded, and forks for each run: loading takes as long as a kernel."""

    def __init__(self, environment: dict[str, str]) -> None:
        # Plugins that are found by themselves take half of pytest's start.
        alone = environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runbooks.validation"],
            cwd=PROJECT,
            env=alone,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Validator:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def nbval(self, paths: Sequence[Path], *, lax: bool) -> None:
        """Run nbval; without `lax` every output must be the stored one."""
        words = ["--nbval-lax" if lax else "--nbval", "--nbval-current-env",
                 f"--nbval-cell-timeout={CELL_SECONDS}", "-q", "-p", "no:cacheprovider", "-p", "nbval.plugin",
                 "--rootdir", str(paths[0].parent), "-c", "/dev/null", *map(str, paths)]  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["code"] == 0, answer["said"]


def main() -> None:
    """Run pytest in a fork of this process for each line of words."""
    answers = os.fdopen(os.dup(1), "w")  # what pytest prints goes elsewhere
    import nbval.kernel

    assert nbval.kernel
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as said:
            child = os.fork()
            if not child:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                os._exit(_pytest(json.loads(line)))
            _, status = os.waitpid(child, 0)
            said.seek(0)
            answer = {"code": os.waitstatus_to_exitcode(status), "said": said.read()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _pytest(words: list[str]) -> int:
    try:
        code = int(pytest.main(words))
    except BaseException:  # noqa: BLE001 - the test that asked shows it
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
