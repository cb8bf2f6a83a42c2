"""One process with a deployment's settings that runs a runbook's cells, all or only the first of them.

A notebook that is interrupted and started again begins with an empty namespace, and so does each run
here; what a kernel adds to that is its start, which takes most of a notebook's time. Requests and answers
are JSON, a line each.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import nbformat

from tests.services.processes import PROJECT
from zumolib.conf import PROJECT as PRODUCT


class Driver:
    """The process, seen from a test."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runbooks.driver"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def _ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert not answer["error"], answer["error"]
        return answer["value"]

    def run(self, runbook: str, parameters: dict[str, Any], *, cells: int | None = None) -> dict[str, Any]:
        """Run the first code cells of a runbook, all by default; gives ``verdicts``, ``done`` and ``proof``."""
        return self._ask(runbook=runbook, parameters=parameters, cells=cells)  # type: ignore[no-any-return]

    def do(self, code: str) -> Any:
        """Run statements; what they leave in ``value`` comes back."""
        return self._ask(code=code)


def code_cells(runbook: str) -> list[nbformat.NotebookNode]:
    """The code cells of a runbook."""
    [path] = (PRODUCT / "notebooks" / "runbooks").glob(f"*-{runbook}.ipynb")
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def _cells(runbook: str, parameters: dict[str, Any], cells: int | None) -> dict[str, Any]:
    space: dict[str, Any] = {}
    shown: list[Any] = []
    tags: list[list[str]] = []
    for cell in code_cells(runbook)[:cells]:
        shown.append(_run(cell.source, space))
        tags.append(cell.metadata.get("tags", []))
        if "parameters" in tags[-1]:
            space |= parameters
    done = space.get("done")
    return {
        "verdicts": [value for value, its in zip(shown, tags, strict=True) if "verdict" in its],
        "proof": [value for value, its in zip(shown, tags, strict=True) if "proof" in its],
        "done": [] if done is None else done.astype(str).to_dict("records"),
        "texts": [repr(value) for value in shown if value is not None],
    }


def _run(source: str, space: dict[str, Any]) -> Any:
    """Execute a cell; its last expression's value, as a notebook would show it."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), space)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), space)


def main() -> None:
    """Answer requests until there are no more."""
    answers, sys.stdout = sys.stdout, sys.stderr
    from zumolib import orm

    orm.ready()
    for line in sys.stdin:
        request = json.loads(line)
        orm.refresh()
        value, error = None, ""
        try:
            if "code" in request:
                space: dict[str, Any] = {"Path": Path}
                exec(request["code"], space)
                value = space.get("value")
            else:
                value = _cells(request["runbook"], request["parameters"], request["cells"])
        except Exception:  # noqa: BLE001 - the test that asked shows it
            error = traceback.format_exc()
        answers.write(json.dumps({"value": value, "error": error}, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
