"""Every notebook without a person before it, by papermill: on the embedded stack and on RabbitMQ.

The embedded stack has just been started, so its history is young; RabbitMQ has the recorded one and one worker.
The acting notebooks are given something to act on, show what they would do, and do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from tests import notebooks
from tests.acceptance.stack import Stack
from tests.integration.workers import worker
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import valkey
from zumolib.celery import create
from zumolib.conf import PROJECT, Conf
from zumolib.headless import pages

TASK = "zumodra.celery.debug_task"
LATER = "zumodra.celery.health_check"
PARAMETERS: dict[str, dict[str, Any]] = {
    "50-call": {"task": TASK, "start": "10 min"},
    "51-revoke": {"name": LATER, "state": "scheduled"},
    "52-retry": {"name": "no.such.task"},
    "53-reschedule": {"entry": "backup-database", "cron": "30 3 * * *"},
    "54-queues-and-workers": {"queue": "emails", "task": TASK, "worker": "@"},
}
SHOWN = {  # what only a notebook has that reached what it asks
    "README": (" replied",),
    "00-control-room": ("broker: ok", " replied)"),
    "11-workers": (" replied",),
    "50-call": (f"Call {TASK}() on queue default at ", "No action is on record that matches."),
    "51-revoke": (f"Revoke 1 task of {LATER}",),
    "52-retry": ("No failed task matches.",),
    "53-reschedule": ("Next 10 firings afterwards, UTC", "Disable backup-database"),
    "54-queues-and-workers": ("Pause queue emails on 1 worker", "Enter a rate; 0 lifts it.", "by 1 process"),
    "59-actions": ("No action is on record that matches.",),
}
WIDGET = "application/vnd.jupyter.widget-view+json"
GARBAGE = (
    *(WIDGET, "widget-view", "VBox(", "HTML(value", "Loading widget", "to see the controls"),
    'Traceback (most recent call last)\n  File "/',
)

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class World:
    """A running system and the settings by which kernels find it."""

    settings: dict[str, str]
    conf: Conf

    def send_for_later(self) -> None:
        """A task that a worker holds until its time, which no notebook may change."""
        app = create(self.conf)
        app.send_task(LATER, countdown=3_600)
        app.close()


@pytest.fixture(scope="module", params=["embedded stack", "rabbitmq"])
def world(
    request: pytest.FixtureRequest, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A system with one worker."""
    folder = tmp_path_factory.mktemp("world")
    with ExitStack() as stack:
        is_embedded = request.param == "embedded stack"
        made = _embedded(folder, stack, migrated) if is_embedded else _rabbitmq(folder, stack)
        made.send_for_later()
        yield made


def _embedded(folder: Path, stack: ExitStack, migrated: Path) -> World:
    made = Stack(folder).with_database(migrated)
    stack.callback(made.zumo, "down")
    done = made.zumo("up")
    assert done.returncode == 0, done.stdout + done.stderr
    here = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return World({**made.environment, "PYTHONPATH": here}, Conf(**made.plan().settings))


def _rabbitmq(folder: Path, stack: ExitStack) -> World:
    server = RabbitMQ(management=True)
    stack.callback(server.remove)
    server.start()
    results = stack.enter_context(valkey()).rsplit("/", 1)[0]
    settings = {
        "CELERY_BROKER_URL": server.url,
        "RABBITMQ_MANAGEMENT_URL": server.management_url,
        "CELERY_RESULT_BACKEND": f"{results}/1",
        "REDIS_URL": f"{results}/0",
    }
    environment = {**notebooks.environment(folder), **settings}
    stack.enter_context(worker(server.url, results, folder / "worker.log"))
    return World(environment, Conf(**settings))


@pytest.fixture
def settings(world: World) -> Iterator[None]:
    """The world's settings as this process', whose kernels inherit them."""
    before = dict(os.environ)
    os.environ.update(world.settings)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("name", [path.stem for path in notebooks.compared()])
@pytest.mark.usefixtures("settings")
def test_it_runs_and_its_page_has_no_widget(name: str, tmp_path: Path) -> None:
    source = notebooks.NOTEBOOKS / f"{name}.ipynb"
    target = tmp_path / f"{name}.ipynb"
    papermill.execute_notebook(
        str(source),
        str(target),
        parameters=PARAMETERS.get(name),
        cwd=str(source.parent),
        progress_bar=False,
        kernel_name="python3",
    )
    made = nbformat.read(target, as_version=4)
    outputs = [output for cell in made.cells for output in cell.get("outputs", [])]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if WIDGET in output.get("data", {})]
    assert "widgets" not in made.metadata
    html = pages.render(made, pages.Page(title=name, line=name, made="by a test"))
    assert [rest for rest in GARBAGE if rest in html] == []
    assert [text for text in SHOWN.get(name, ()) if text not in html.replace("\u200b", "")] == []
    acts = name in PARAMETERS
    assert ("Not done: " in html) == acts
