"""``zumo run|demo|drill``: a first day's work, the data for it, and the work alone."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from zumolib.cli.effects import starts, writes
from zumolib.cli.output import as_json, dump, progress_bar, say, seconds, table
from zumolib.cli.reports import make_report

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.platform.drill import Outcome


@click.command()
@starts
def run() -> None:
    """Start the stack, do a first day's work where there is no history yet, make today's report."""
    from zumolib.stack import lifecycle

    click.echo("starting the embedded stack")
    plan = lifecycle.up(say)
    from zumolib.conf import conf, permission
    from zumolib.deployment import ownership
    from zumolib.errors import ReadOnly
    from zumolib.history import History

    if ownership.is_own_app() and not History(conf().history).any_task():
        try:
            permission.check()
        except ReadOnly as refused:
            say("first day", f"left out: {refused}")
        else:
            _first_day()
    made = make_report(None)
    click.echo(f"\nJupyterLab: {plan.jupyter_url}\nReport:     {made.path_html}")


def _first_day() -> None:
    from zumolib.celery import app

    say("first day", "nothing has run here yet: loading demo data, then sending every entry once")
    _load(seed=7, scale=1)
    done = _drill(app, 120)
    say("drill", f"{sum(row.state == 'SUCCESS' for row in done)} of {len(done)} entries succeeded")
    for row in done:
        if row.state not in ("SUCCESS", "HELD"):
            say("", f"{row.entry}: {row.state}, {row.summary}")


@click.group()
def demo() -> None:
    """The demo data set."""


@demo.command()
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same data.")
@click.option("--scale", type=click.FloatRange(0.1, 1_000), default=1.0, show_default=True, help="How much.")
@as_json
@writes
def load(seed: int, scale: float, as_json: bool) -> None:
    """Load lifelike data with work waiting for every task; loading twice adds nothing."""
    made = _load(seed=seed, scale=scale)
    if as_json:
        dump(made)
    else:
        table(("what", "rows"), made.items(), right=("rows",))


@click.command()
@click.option(
    "--timeout", type=click.FloatRange(1), default=120.0, show_default=True, help="Seconds to wait."
)
@as_json
@writes
def drill(timeout: float, as_json: bool) -> None:
    """Send every entry's task once, as beat would, and show what each did.

    Exit code 1 when one failed or did not end in time. A task held by its rate limit is shown as held.
    """
    from dataclasses import asdict

    from zumolib.celery import app

    done = _drill(app, timeout)
    if as_json:
        dump([asdict(row) for row in done])
    else:
        rows = [(row.entry, row.queue, row.state, seconds(row.seconds), row.summary) for row in done]
        table(("entry", "queue", "state", "took", "what it did"), rows, right=("took",))
    sys.exit(0 if all(row.state in ("SUCCESS", "HELD") for row in done) else 1)


def _load(*, seed: int, scale: float) -> dict[str, Any]:
    from zumolib.database import orm
    from zumolib.deployment import ownership

    ownership.require_app()
    ownership.require_database()
    orm.ready()
    made: dict[str, Any] = import_module("tasks.demo").load(seed=seed, scale=scale)
    return made


def _drill(app: Celery, timeout: float) -> list[Outcome]:
    from zumolib.deployment import ownership
    from zumolib.platform import drill

    ownership.require_app()
    ownership.require_database()
    ownership.require_broker(app)
    with progress_bar("drill") as progress:
        return drill.run(app, timeout=timeout, progress=progress)


COMMANDS = (run, demo, drill)
