"""``zumo reschedule``, ``zumo enable`` and ``zumo disable``: entries of the schedule."""

from __future__ import annotations

import click

from zumolib.cli import duration, target
from zumolib.cli.acting import How, act, acts


@click.command()
@click.argument("entry")
@click.option("--cron", help="Five fields: minute hour day-of-month month day-of-week, as '30 2 * * *'.")
@click.option("--every", help="Or an interval, as 90s, 5m, 2h or 1d.")
@click.option("--timezone", help="Zone whose clock the crontab follows; the entry's own by default.")
@click.option("--zone", default="UTC", show_default=True, help="Zone in which the next firings are shown.")
@acts
def reschedule(
    entry: str, cron: str | None, every: str | None, timezone: str | None, zone: str, how: How
) -> None:
    """Give an entry other times; the preview shows its next 10 firings."""
    from zumolib import control

    plan = control.reschedule.plan(
        target.find_app(),
        entry,
        cron=cron,
        every=duration.seconds(every, "--every"),
        timezone=timezone,
        zone=zone,
    )
    act(plan, how)


@click.command()
@click.argument("entries", nargs=-1, required=True)
@acts
def enable(entries: tuple[str, ...], how: How) -> None:
    """Enable ENTRIES; what they missed is not made up for."""
    from zumolib import control

    act(control.switch.plan(target.find_app(), entries, on=True), how)


@click.command()
@click.argument("entries", nargs=-1, required=True)
@acts
def disable(entries: tuple[str, ...], how: How) -> None:
    """Disable ENTRIES; what beat has sent already still runs."""
    from zumolib import control

    act(control.switch.plan(target.find_app(), entries, on=False), how)


COMMANDS = (reschedule, enable, disable)
