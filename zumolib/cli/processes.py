"""``zumo record|migrate|web``: single processes, as docker compose starts them."""

from __future__ import annotations

import threading

import click

from zumolib.cli import target
from zumolib.cli.effects import starts
from zumolib.cli.output import log_to_stderr, say


@click.command()
@click.option("--name", default="recorder", show_default=True, help="Tells several recorders apart.")
@click.option("--app", "app_name", help="Celery app to record, as in `celery -A`; the platform's by default.")
@starts
def record(name: str, app_name: str | None) -> None:
    """Record events and queue depths of a Celery app until ended."""
    import logging

    from zumolib.conf import conf
    from zumolib.deployment import ownership
    from zumolib.errors import BrokerError
    from zumolib.history import History
    from zumolib.inspection.signatures import hidden_arguments
    from zumolib.recorder.daemon import Recorder, stop_on_signals

    log_to_stderr()
    stop = threading.Event()
    stop_on_signals(stop)
    app = target.find_app(app_name or "")
    if ownership.is_ours(app):  # its events come by a stream, which would be made on another app's broker
        try:
            ownership.require_broker(app)
        except BrokerError as error:
            logging.getLogger(__name__).warning("Not known yet whether this broker is ours: %s", error)
    Recorder(
        app,
        History(conf().history),
        name=name,
        retain_days=conf().ZUMO_HISTORY_DAYS,
        retain_gb=conf().ZUMO_HISTORY_GB,
        management_url=conf().RABBITMQ_MANAGEMENT_URL,
        masked_keys=conf().ZUMO_MASKED_KEYS,
        masked_arguments=hidden_arguments(app, conf().ZUMO_MASKED_KEYS),
    ).run(stop)


@click.command()
@starts
def migrate() -> None:
    """Bring the database to the newest schema and install missing entries."""
    from zumolib.stack.lifecycle import prepare_database

    say("database", prepare_database())


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8002, show_default=True)
@starts
def web(host: str, port: int) -> None:
    """Serve Django's admin, health and metrics."""
    import uvicorn

    from zumolib.conf import conf
    from zumolib.web.signing import require_key

    require_key(conf())
    uvicorn.run("zumolib.web.asgi:application", host=host, port=port, lifespan="off", access_log=False)


COMMANDS = (record, migrate, web)
