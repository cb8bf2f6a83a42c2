"""One process with a deployment's settings that runs a runbook's cells, all or only the first of them.

A notebook that is interrupted and started again begins with an empty namespace, and so does each run
here; a run with a name can go on later where it stopped. What a kernel adds to that is its start, which
takes most of a notebook's time. Requests and answers are JSON, a line each.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.light import nbformat
from tests.services.processes import PROJECT
from zumolib.conf import PROJECT as PRODUCT

APPLY = "cures.apply("  # in the one cell that acts


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

    def run(
        self, runbook: str, parameters: dict[str, Any], *, until: int | None = None, name: str = ""
    ) -> dict[str, Any]:
        """Run a runbook's code cells, or those before the one at `until`.

        With a `name` it goes on where the run of that name stopped.

        Returns
        -------
        dict
            Of the cells that ran: ``verdicts``, ``proof``, ``done`` (rows), ``texts`` (all that was shown)
            and ``receipts`` (how many there were after each cell).
        """
        return self._ask(  # type: ignore[no-any-return]
            runbook=runbook, parameters=parameters, until=until, name=name
        )

    def do(self, code: str) -> Any:
        """Run statements; what they leave in ``value`` comes back."""
        return self._ask(code=code)


def code_cells(runbook: str) -> list[nbformat.NotebookNode]:
    """The code cells of a runbook."""
    [path] = (PRODUCT / "notebooks" / "runbooks").glob(f"*-{runbook}.ipynb")
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


@dataclass
class Run:
    """A namespace, and how many cells have run in it."""

    space: dict[str, Any] = field(default_factory=dict)
    position: int = 0


def _cells(run: Run, runbook: str, parameters: dict[str, Any], until: int | None) -> dict[str, Any]:
    from zumolib.receipts.models import Receipt

    told: dict[str, Any] = {"verdicts": [], "proof": [], "done": [], "texts": [], "receipts": []}
    for cell in code_cells(runbook)[run.position : until]:
        tags = cell.metadata.get("tags", [])
        shown = _run(cell.source, run.space)
        run.position += 1
        if "parameters" in tags:
            run.space |= parameters
        for tag, key in (("verdict", "verdicts"), ("proof", "proof")):
            if tag in tags:
                told[key].append(shown)
        if APPLY in cell.source:
            told["done"] = run.space["done"].astype(str).to_dict("records")
        if shown is not None:
            told["texts"].append(repr(shown))
        told["receipts"].append(Receipt.objects.count())
    return told


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
    from zumolib.database import orm

    orm.ready()
    runs: dict[str, Run] = {}
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
                name = request["name"]
                run = runs.setdefault(name, Run()) if name else Run()
                value = _cells(run, request["runbook"], request["parameters"], request["until"])
        except Exception:  # noqa: BLE001 - the test that asked shows it
            error = traceback.format_exc()
        answers.write(json.dumps({"value": value, "error": error}, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
