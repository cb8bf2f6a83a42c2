"""``zumo record|migrate|web``: single processes, as docker compose starts them."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from zumolib.cli.output import say


@click.command()
@click.option("--name", default="recorder", show_default=True, help="Tells several recorders apart.")
@click.option("--app", "app_name", help="Celery app to record, as in `celery -A`; the platform's by default.")
def record(name: str, app_name: str | None) -> None:
    """Record events and queue depths of a Celery app until ended."""
    from zumolib.conf import conf
    from zumolib.history import History
    from zumolib.recorder import Recorder

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Recorder(
        _find_app(app_name or conf().ZUMO_APP),
        History(conf().history),
        name=name,
        retain_days=conf().ZUMO_HISTORY_DAYS,
        management_url=conf().RABBITMQ_MANAGEMENT_URL,
    ).run(stop)


def _find_app(name: str):  # type: ignore[no-untyped-def]
    from celery.app.utils import find_app

    from zumolib.errors import InputError

    sys.path.insert(0, str(Path.cwd()))
    try:
        return find_app(name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"no Celery app is found as {name!r} ({error}); "
            "give it as `celery -A` takes it, package or module:attribute"
        ) from None


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema and install missing entries."""
    from zumolib.stack.lifecycle import prepare_database

    say("database", prepare_database())


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8002, show_default=True)
def web(host: str, port: int) -> None:
    """Serve Django's admin, health and metrics."""
    import uvicorn

    uvicorn.run("zumolib.web.asgi:application", host=host, port=port, lifespan="off", access_log=False)


COMMANDS = (record, migrate, web)
