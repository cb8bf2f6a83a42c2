"""The committed notebooks, run on a recorded history, a schedule and a clock that never change.

``python -m tests.notebooks`` runs them by nbval and compares with the outputs they carry (:mod:`.agreement`);
``python -m tests.notebooks --vary`` does so as on other machines: without the instructions that numpy chooses by
processor, with one thread and with two, in two locales, with two orders of sets;
``python -m tests.notebooks --write`` stores the outputs, the only way they are ever made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import recorded
from tests.frozen import running
from tests.light import nbformat
from zumolib.conf import PROJECT

NOTEBOOKS = PROJECT / "notebooks"
NOW = recorded.END


def environment(folder: Path) -> dict[str, str]:
    """The frozen world, made in `folder`: what a kernel or a process needs in order to live in it."""
    recorded.make(folder / "history", with_past=True)
    made = {
        "ZUMO_HOME": str(folder / "home"),
        "ZUMO_HISTORY": str(folder / "history"),
        "ZUMO_NOW": NOW.replace(tzinfo=None).isoformat(),
        "DATABASE_URL": f"sqlite:///{folder / 'schedule.sqlite3'}",
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "ZUMO_READ_ONLY": "true",
    }
    world = {**os.environ, **made}
    subprocess.run(
        [sys.executable, "-m", "tests.notebooks", "--schedule"],
        env={**world, "ZUMO_READ_ONLY": "false"},
        cwd=PROJECT,
        check=True,
    )
    return world


@contextmanager
def frozen(folder: Path) -> Iterator[dict[str, str]]:
    """The same with a broker that has messages, two workers that answer, and a recorder's last word."""
    with running(folder) as url:
        world = environment(folder)
        said = {"name": "recorded", "pid": 4000, "state": "recording", "updated": NOW.isoformat(),
                "events_per_second": 1.4, "lag_seconds": 0.4, "waiting": 0}  # fmt: skip
        (folder / "history" / "recorder-recorded.json").write_text(json.dumps(said))
        yield {**world, "CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url, "REDIS_URL": url}


def install_schedule() -> None:
    """Put every entry of the code into the database of this process, last dispatched at the frozen time.

    The app is one that knows a task of every name, so that the outputs do not depend on which tasks the
    platform has by now.
    """
    from celery import Celery

    from zumolib.database import orm
    from zumolib.platform import installation
    from zumolib.platform.entries import ENTRIES

    orm.ready()
    from django.core.management import call_command
    from django_celery_beat.models import PeriodicTask

    call_command("migrate", verbosity=0)

    def nothing() -> None:
        """Never called."""

    app = Celery("recorded", set_as_current=False)
    for name in {entry.task for entry in ENTRIES}:
        app.task(name=name, shared=False)(nothing)
    installation.install(app)
    PeriodicTask.objects.filter(interval__isnull=False).update(last_run_at=NOW)


def paths(names: Sequence[str] = ()) -> list[Path]:
    """Every notebook of the project, or those of these names."""
    found = sorted(p for p in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    return [p for p in found if not names or str(p.relative_to(NOTEBOOKS).with_suffix("")) in names]


def compared(names: Sequence[str] = ()) -> list[Path]:
    """Those that read a recorded history; the runbooks ask a running system (see tests/runbooks)."""
    return [path for path in paths(names) if path.parent.name != "runbooks"]


def execute(path: Path, world: dict[str, str]) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom; what it gives has counts and outputs and nothing of this machine."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources={"metadata": {"path": path.parent}}
    )
    client.execute(env=world)
    return stripped(notebook)


class Kernel:
    """One kernel for several notebooks, each of which finds it empty: to start one for each takes longer."""

    def __init__(self, world: dict[str, str]) -> None:
        from jupyter_client import AsyncKernelManager
        from nbclient import NotebookClient

        self._world = world
        self._manager = AsyncKernelManager(kernel_name="python3")
        self._client = NotebookClient(
            nbformat.v4.new_notebook(),
            km=self._manager,
            timeout=120,
            allow_errors=True,
            resources={"metadata": {"path": NOTEBOOKS}},
        )

    def execute(self, notebook: nbformat.NotebookNode, **parameters: Any) -> nbformat.NotebookNode:
        """Run a notebook from top to bottom, past what fails, with these parameters and its own for the rest."""
        given = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
        at = next(n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
        notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(given))
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
        self._client.nb = notebook
        self._client.execute(env=self._world)
        return notebook

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        from jupyter_core.utils import run_sync

        if self._client.kc is not None:
            self._client.kc.stop_channels()
        run_sync(self._manager.shutdown_kernel)(now=True)


def stripped(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without widget state, timings and what names this machine's kernel."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k == "tags"})
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


def write(world: dict[str, str], names: Sequence[str] = ()) -> None:
    """Run each notebook and store its outputs in place."""
    for path in compared(names):
        print(f"running {path.relative_to(PROJECT)}", flush=True)
        nbformat.write(execute(path, world), path)


def compare(world: dict[str, str], names: Sequence[str] = ()) -> int:
    """Run nbval over the notebooks; its exit code."""
    command = [sys.executable, "-m", "pytest", "-p", "nbval.plugin", "-p", "tests.agreement", "--nbval", "--nbval-cell-timeout=300",
               "--nbval-current-env", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile", *map(str, compared(names))]  # fmt: skip
    return subprocess.run(command, env=world, cwd=PROJECT, check=False).returncode


def variants() -> dict[str, dict[str, str]]:
    """Machines that differ in what no output may depend on: each variable has two values among them."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    plain = " ".join(feature for feature in __cpu_dispatch__ if __cpu_features__.get(feature))
    german = "de_DE.UTF-8" if _has_locale("de_DE.UTF-8") else "C.UTF-8"
    return {
        "as here": {"ZUMO_QUERY_THREADS": "1", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        f"without {plain}": {
            "NPY_DISABLE_CPU_FEATURES": plain,
            "ZUMO_QUERY_THREADS": "2",
            "LC_ALL": german,
            "PYTHONHASHSEED": "2",
        },
    }


def _has_locale(name: str) -> bool:
    done = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
    return name.replace("UTF-8", "utf8") in done.stdout.split()


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", help="these notebooks only, without .ipynb")
    parser.add_argument("--write", action="store_true", help="store the outputs instead of comparing them")
    parser.add_argument(
        "--vary", action="store_true", help="compare as on machines that differ from this one"
    )
    parser.add_argument("--schedule", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.schedule:
        install_schedule()
        return 0
    with tempfile.TemporaryDirectory(prefix="zumo-notebooks-") as folder, frozen(Path(folder)) as world:
        if asked.write:
            write(world, asked.names)
            return 0
        if asked.vary:
            codes = []
            for name, differs in variants().items():
                print(f"{name}: {differs}", flush=True)
                codes.append(compare({**world, **differs}, asked.names))
            return max(codes)
        return compare(world, asked.names)


if __name__ == "__main__":
    sys.exit(main())
