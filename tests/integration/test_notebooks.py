"""The notebooks in the frozen world: outputs are what is stored, and parameters change them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from tests import notebooks
from zumolib.conf import PROJECT

PLOT = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return notebooks.environment(tmp_path_factory.mktemp("world"))


def outputs(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(str(o.get("data", o)) for c in notebook.cells for o in c.get("outputs", []))


def test_stored_outputs_are_what_the_notebooks_give(world: dict[str, str]) -> None:
    # All of them take half a minute, and `make test` compares them all; one shows that the way works.
    path = notebooks.NOTEBOOKS / "20-schedule-density.ipynb"
    stored = nbformat.read(path, as_version=4)
    again = notebooks.execute(path, world)
    assert [c.get("outputs") for c in again.cells] == [c.get("outputs") for c in stored.cells]


def test_a_changed_output_is_noticed(world: dict[str, str], tmp_path: Path) -> None:
    notebook = nbformat.read(notebooks.NOTEBOOKS / "20-schedule-density.ipynb", as_version=4)
    table = next(c for c in notebook.cells if "tables.load" in c.source)
    table.outputs[0]["data"]["text/plain"] = "something else"
    nbformat.write(notebook, tmp_path / "changed.ipynb")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-current-env",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, str(tmp_path / "changed.ipynb")],
        env=world,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "something else" in done.stdout


def test_parameters_choose_queue_and_zone(
    world: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.items():
        monkeypatch.setenv(name, value)
    made = papermill.execute_notebook(
        str(notebooks.NOTEBOOKS / "10-queue-depth.ipynb"),
        str(tmp_path / "made.ipynb"),
        parameters={"queue": "payments", "zone": "Europe/Paris", "hours": 48},
        progress_bar=False,
        kernel_name="python3",
    )
    text = outputs(made)
    assert PLOT in text
    assert "peak at (Europe/Paris)" in text
    assert "notifications" not in text
