"""``zumo schedule``: the entries that beat sends."""

from __future__ import annotations

import click

from zumolib.cli.effects import reads, writes
from zumolib.cli.output import as_json, dump, masked_keys, plain, say, table
from zumolib.masking import mask_value


@click.group()
def schedule() -> None:
    """The schedule: install entries, list them, show what differs from the code."""


@schedule.command()
@click.argument("names", nargs=-1)
@as_json
@writes
def install(names: tuple[str, ...], as_json: bool) -> None:
    """Put entries that are missing into the database; rows that are there stay as they are.

    With no NAMES, every entry whose task the app knows.
    """
    from dataclasses import asdict

    from zumolib.celery import app
    from zumolib.deployment import ownership
    from zumolib.platform import installation

    ownership.require_app()
    ownership.require_database()
    made = installation.install(app, names)
    if as_json:
        dump(asdict(made))
        return
    say("installed", str(len(made.installed)))
    say("kept", str(len(made.kept)))
    if made.refused:
        say("refused", f"{len(made.refused)}, whose task the app does not know: {', '.join(made.refused)}")


@schedule.command("list")
@click.option("--code", is_flag=True, help="List the entries of the code instead of those in the database.")
@as_json
@reads
def list_(code: bool, as_json: bool) -> None:
    """List every entry with its queue and its next firing (UTC)."""
    from zumolib.celery import app
    from zumolib.platform import installation

    rows = installation.code_rows(app) if code else installation.rows(app)
    if as_json:
        keys = masked_keys()
        dump([row | {"kwargs": mask_value(row["kwargs"], keys)} for row in rows])
        return
    if not rows:
        click.echo("no entries in the database; `zumo schedule install` puts them there")
        return
    columns = ("name", "schedule", "queue", "enabled", "last_run_at", "next_firing")
    table(columns, [tuple(row[column] for column in columns) for row in rows])
    bad = [row for row in rows if row["problem"]]
    click.echo(f"{len(rows)} entries, times in UTC" + (f"; {len(bad)} cannot be sent:" if bad else ""))
    if bad:
        table(("entry", "enabled", "what is wrong"), [(r["name"], r["enabled"], r["problem"]) for r in bad])
        click.echo("beat leaves these out; mend one by `zumo reschedule` or the admin, or `zumo disable` it")


@schedule.command()
@as_json
@reads
def drift(as_json: bool) -> None:
    """Show in what the database differs from the code."""
    from dataclasses import asdict

    from zumolib.platform import installation

    found = [asdict(difference) for difference in installation.drift()]
    for row in found:
        if row["field"] == "kwargs":
            row |= mask_value({side: row[side] for side in ("code", "database")}, masked_keys())
    if as_json:
        dump(found)
    elif not found:
        click.echo("the database equals the code")
    else:
        table(
            ("entry", "field", "code", "database"),
            [[plain(value) for value in row.values()] for row in found],
        )


COMMANDS = (schedule,)
