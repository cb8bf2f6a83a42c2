"""A dated copy of a runbook, with its reason: run headless, or left to be opened."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zumolib import light
from zumolib.conf import PROJECT, Conf, child_environment, person
from zumolib.conf import conf as settings
from zumolib.errors import InputError, ReportError
from zumolib.masking import mask_text
from zumolib.masking.notebook import mask_outputs

if TYPE_CHECKING:
    from nbformat import NotebookNode

RUNBOOKS = PROJECT / "notebooks" / "runbooks"
CELL_SECONDS = 600
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@dataclass(frozen=True)
class Runbook:
    """One runbook as it is shipped."""

    name: str  # without its number
    title: str
    symptom: str
    path: Path


@dataclass(frozen=True)
class Ran:
    """What a run told."""

    path: Path
    verdicts: tuple[str, ...]  # before and after
    failure: str  # why it broke off; empty where it did not

    @property
    def over(self) -> bool:
        """Whether nothing was left to do, as far as every check could judge."""
        return not self.failure and self.verdicts[-1:] == ("nothing to do",)


def shipped() -> tuple[Runbook, ...]:
    """All runbooks, in the order of their numbers."""
    found = []
    for path in sorted(RUNBOOKS.glob("[0-9][0-9]-*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        title, intro = ("".join(cell["source"]) for cell in cells[:2])
        symptom = re.search(r"\*\*Symptom:\*\* (.*)", intro)
        told = symptom[1].replace("*", "") if symptom else ""
        found.append(Runbook(path.stem[3:], title.removeprefix("# "), told, path))
    return tuple(found)


def find(name: str) -> Runbook:
    """A runbook by its name, with or without its number.

    Raises
    ------
    InputError
        When there is none.
    """
    wanted = Path(name).stem
    for runbook in shipped():
        if wanted in (runbook.name, runbook.path.stem, runbook.path.stem[:2], runbook.path.stem[1]):
            return runbook
    names = ", ".join(runbook.name for runbook in shipped()) or "none: this is no clone of the project"
    raise InputError(f"there is no runbook {name!r}; there are: {names}")


def copy(runbook: Runbook, *, reason: str, parameters: Mapping[str, Any], at: datetime, out: Path) -> Path:
    """Put a copy into ``<out>/<date>/``, with who, when and why on top and its parameters set.

    Parameters
    ----------
    at
        When, UTC.

    Raises
    ------
    InputError
        For an empty reason, and a parameter that the runbook does not have.
    ReportError
        When it cannot be written.
    """
    with light.imports():
        import nbformat

    if not reason.strip():
        raise InputError("--reason is empty; say why in a few words")
    reason = mask_text(reason, settings().ZUMO_MASKED_KEYS)
    notebook = nbformat.read(runbook.path, as_version=4)
    place = out / f"{at:%Y-%m-%d}" / f"{at:%H%M%S}-{runbook.name}.ipynb"
    position, cell = next(
        (n, cell) for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ())
    )
    cell.source = _with(cell.source, {**parameters, "reason": reason})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = LINK.sub(lambda link: f"]({_moved(link[1], runbook.path, place)}", cell.source)
    told = f"Copied at {at:%Y-%m-%d %H:%M:%S} UTC by {person()}. Reason: {_plain(reason)}"
    notebook.cells.insert(position, nbformat.v4.new_markdown_cell(told))
    _write(notebook, place)
    return place


def run(path: Path, conf: Conf) -> Ran:
    """Run a copy in place; what was executed is kept, also when a cell fails."""
    with light.imports():
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    failure = ""
    try:
        client.execute(env=_environment(conf))
    except CellExecutionError as error:
        failure = f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        failure = f"a cell took longer than {CELL_SECONDS} s and was stopped"
    except (DeadKernelError, RuntimeError) as error:
        failure = f"the kernel did not start, or ended: {error}"
    keys = conf.ZUMO_MASKED_KEYS
    mask_outputs(notebook, keys)
    _write(notebook, path)
    return Ran(path, tuple(_verdicts(notebook)), mask_text(failure, keys))


def _with(source: str, values: Mapping[str, Any]) -> str:
    """The parameters' cell with other values, comments kept."""
    lines = []
    left = dict(values)
    for line in source.splitlines():
        name = line.partition(":")[0].strip()
        if name in left:
            before, _, comment = line.partition("  # ")
            declared = before.partition(" = ")[0]
            value = _typed(name, left.pop(name), declared.partition(":")[2].strip())
            line = f"{declared} = {value!r}" + (f"  # {comment}" if comment else "")
        lines.append(line)
    if left:
        known = ", ".join(line.partition(":")[0] for line in lines)
        raise InputError(f"this runbook has no parameter {next(iter(left))!r}; it has: {known}")
    return "\n".join(lines)


def _typed(name: str, value: Any, type_: str) -> Any:
    """A value that was typed as text, as its parameter wants it."""
    wanted: dict[str, Callable[[str], Any]] = {
        "int": int,
        "float": float,
        "bool": lambda text: {"true": True, "false": False}[text.lower()],
        "str": str,
    }
    try:
        return wanted[type_](value) if isinstance(value, str) else value
    except (ValueError, KeyError):
        raise InputError(f"{name}={value!r} is no {type_}; see the runbook's first cell") from None


def _moved(link: str, old: Path, new: Path) -> str:
    return os.path.relpath(old.parent / link, new.parent)


def _plain(text: str) -> str:
    """A person's words as markdown shows them: as text, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", " ".join(text.split()))


def _verdicts(notebook: NotebookNode) -> list[str]:
    found = []
    for cell in notebook.cells:
        if "verdict" in cell.metadata.get("tags", ()):
            texts = [output["data"]["text/plain"] for output in cell.outputs if "data" in output]
            found += [text.strip("'\"") for text in texts]
    return found


def _write(notebook: NotebookNode, path: Path) -> None:
    with light.imports():
        import nbformat

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    except OSError as error:
        raise ReportError(
            f"{path} cannot be written: {error.strerror}; set ZUMO_REPORTS to a folder of your own"
        ) from None


def _environment(conf: Conf) -> dict[str, str]:
    """The kernel finds this project and its state wherever the copy lies."""
    inherited = child_environment().get("PYTHONPATH", "")
    return child_environment(
        {
            "ZUMO_HOME": str(conf.ZUMO_HOME),
            "PYTHONPATH": os.pathsep.join([str(PROJECT), *([inherited] if inherited else [])]),
        }
    )
