"""``zumo pause``, ``zumo resume`` and ``zumo purge``: queues."""

from __future__ import annotations

import click

from zumolib.cli import target
from zumolib.cli.acting import How, act, acts


@click.command()
@click.argument("queue")
@click.option("--worker", multiple=True, help="Only on this worker; may be repeated.")
@acts
def pause(queue: str, worker: tuple[str, ...], how: How) -> None:
    """Stop consuming from QUEUE, on every worker that does."""
    from zumolib import control

    app = target.find_app()
    act(control.pause.plan(app, queue, seen=target.look(app), only=worker or None), how)


@click.command()
@click.argument("queue")
@click.option("--worker", multiple=True, help="On this worker instead of those that paused; may be repeated.")
@acts
def resume(queue: str, worker: tuple[str, ...], how: How) -> None:
    """Consume from QUEUE again, on the workers that paused."""
    from zumolib import control

    app = target.find_app()
    act(control.resume.plan(app, queue, seen=target.look(app), only=worker or None), how)


@click.command()
@click.argument("queue")
@acts
def purge(queue: str, how: How) -> None:
    """Throw away all that waits in QUEUE. There is no way back."""
    from zumolib import control

    act(control.purge.plan(target.find_app(), queue), how)


COMMANDS = (pause, resume, purge)
