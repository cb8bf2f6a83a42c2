"""Watching notebooks without a person before them, by papermill, on Valkey and on RabbitMQ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest

from tests import notebooks
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from zumolib import pages

WATCHING = (
    "README",
    "00-control-room",
    "10-queue-depth",
    "11-workers",
    "20-schedule-density",
    "21-task-latency",
)
WIDGET = "application/vnd.jupyter.widget-view+json"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The recorded history on a real broker without workers."""
    server: Valkey | RabbitMQ = Valkey() if request.param == "valkey" else RabbitMQ(management=True)
    made = notebooks.environment(tmp_path_factory.mktemp("world"))
    try:
        server.start()
        made["CELERY_BROKER_URL"] = server.url
        if isinstance(server, RabbitMQ):
            made["RABBITMQ_MANAGEMENT_URL"] = server.management_url
        yield made
    finally:
        server.remove()


@pytest.fixture
def settings(world: dict[str, str]) -> Iterator[None]:
    """The world's settings as this process', whose kernels inherit them."""
    before = dict(os.environ)
    os.environ.update(world)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("name", WATCHING)
@pytest.mark.usefixtures("settings")
def test_it_runs_and_its_page_has_no_widget(name: str, tmp_path: Path) -> None:
    source = notebooks.NOTEBOOKS / f"{name}.ipynb"
    target = tmp_path / f"{name}.ipynb"
    papermill.execute_notebook(
        str(source), str(target), cwd=str(source.parent), progress_bar=False, kernel_name="python3"
    )
    made = nbformat.read(target, as_version=4)
    outputs = [output for cell in made.cells for output in cell.get("outputs", [])]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if WIDGET in output.get("data", {})]
    assert "widgets" not in made.metadata
    html = pages.render(made, pages.Page(title=name, line=name, made="by a test"))
    for rest in (
        WIDGET,
        "widget-view",
        "VBox(",
        "HTML(value",
        "Loading widget",
        'Traceback (most recent call last)\n  File "/',
    ):
        assert rest not in html
    if name == "00-control-room":
        assert "broker: ok" in html
