"""``zumo demo`` and ``zumo drill``: something to work on, and the work."""

from __future__ import annotations

import sys

from typing import TYPE_CHECKING

import click

from zumolib.cli.output import as_json, dump, progress_bar, say, seconds, table
from zumolib.cli.reports import make_report

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.drill import Outcome


@click.group()
def demo() -> None:
    """The demo data set."""


@demo.command()
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same data.")
@click.option(
    "--scale", type=click.FloatRange(0.1, 1_000), default=1.0, show_default=True, help="Size of the data."
)
@as_json
def load(seed: int, scale: float, as_json: bool) -> None:
    """Load lifelike data with work waiting for every task; loading twice adds nothing."""
    made = _load(seed=seed, scale=scale)
    if as_json:
        dump(made)
    else:
        table(("what", "rows"), made.items(), right=("rows",))


def _load(*, seed: int, scale: float) -> dict[str, int]:
    from importlib import import_module

    from zumolib import orm

    orm.ready()
    return import_module("tasks.demo").load(seed=seed, scale=scale)  # type: ignore[no-any-return]


@click.command()
@click.option(
    "--timeout", type=click.FloatRange(1), default=120.0, show_default=True, help="Seconds to wait."
)
@as_json
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


def _drill(app: Celery, timeout: float) -> list[Outcome]:
    from zumolib import drill

    with progress_bar("drill") as progress:
        return drill.run(app, timeout=timeout, progress=progress)


COMMANDS = (run, demo, drill)
