"""``zumo limit`` and ``zumo pool``: how fast and how wide workers run."""

from __future__ import annotations

import click

from zumolib.cli import duration, target
from zumolib.cli.acting import How, act, acts


@click.group()
def limit() -> None:
    """Rate and time limits of a task, as the workers hold them until they restart."""


@limit.command()
@click.argument("task")
@click.argument("rate")
@acts
def rate(task: str, rate: str, how: How) -> None:
    """Let TASK run at most so often on each worker: RATE as 10/s, 100/m or 5/h, 0 for no limit."""
    from zumolib import control

    act(control.limits.rate(target.find_app(), task, rate), how)


@limit.command()
@click.argument("task")
@click.option("--soft", help="Raise in the task after so long, as 90s or 5m; nothing for no limit.")
@click.option("--hard", help="End its process after so long; nothing for no limit.")
@acts
def time(task: str, soft: str | None, hard: str | None, how: How) -> None:
    """Let a run of TASK take at most so long."""
    from zumolib import control

    plan = control.limits.times(
        target.find_app(), task, soft=duration.seconds(soft, "--soft"), hard=duration.seconds(hard, "--hard")
    )
    act(plan, how)


@click.group()
def pool() -> None:
    """Processes of workers: more, fewer, bounds for them, or none."""


_count = click.option("--count", "-n", type=int, default=1, show_default=True, help="Processes.")
_workers = click.argument("workers", nargs=-1, required=True)


@pool.command()
@_workers
@_count
@acts
def grow(workers: tuple[str, ...], count: int, how: How) -> None:
    """Give each of WORKERS more processes."""
    from zumolib import control

    act(control.pool.grow(target.find_app(), workers, count), how)


@pool.command()
@_workers
@_count
@acts
def shrink(workers: tuple[str, ...], count: int, how: How) -> None:
    """Take processes from each of WORKERS."""
    from zumolib import control

    act(control.pool.shrink(target.find_app(), workers, count), how)


@pool.command()
@_workers
@click.option("--least", type=int, required=True, help="Fewest processes.")
@click.option("--most", type=int, required=True, help="Most processes.")
@acts
def autoscale(workers: tuple[str, ...], least: int, most: int, how: How) -> None:
    """Change the bounds of WORKERS that were started with --autoscale."""
    from zumolib import control

    act(control.pool.autoscale(target.find_app(), workers, least=least, most=most), how)


@pool.command()
@_workers
@acts
def shutdown(workers: tuple[str, ...], how: How) -> None:
    """End WORKERS; they finish what runs first."""
    from zumolib import control

    app = target.find_app()
    act(control.shutdown.plan(app, workers, seen=target.look(app)), how)


COMMANDS = (limit, pool)
