"""``zumo history``: the recorded history as a whole."""

from __future__ import annotations

import sys

import click

from zumolib.cli import target
from zumolib.cli.effects import asks_itself
from zumolib.cli.output import as_json, dump, say
from zumolib.errors import InputError


@click.group()
def history() -> None:
    """The recorded history on disk."""


@history.command()
@click.option(
    "--app", "app_name", help="Celery app that was recorded, as in `celery -A`; the platform's by default."
)
@click.option("--dry-run", is_flag=True, help="Only say how much would change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@asks_itself
def scrub(app_name: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Hide what ZUMO_MASKED_KEYS hides today in what was recorded before, and in receipts.

    What is hidden is gone. Recorders take new keys when they are started again; reports that were made
    stay as they are.
    """
    from dataclasses import asdict

    from zumolib.conf import conf, permission
    from zumolib.history import History
    from zumolib.history.scrub import look
    from zumolib.history.scrub import scrub as scrub_history
    from zumolib.inspection.signatures import hidden_arguments
    from zumolib.receipts import book

    if not dry_run:
        permission.check()
    settings = conf()
    keys = settings.ZUMO_MASKED_KEYS
    if not (yes or dry_run):
        if as_json or not sys.stdin.isatty():
            raise InputError("nothing was done: add --yes to do it, or --dry-run to see what it would change")
        if not click.confirm(
            f"Hide the values under {len(keys)} keys in {settings.history} and in the receipts for good?"
        ):
            click.echo("nothing was done")
            return
    app = target.find_app(app_name or "")
    work = look if dry_run else scrub_history
    done = work(History(settings.history), keys, hidden_arguments(app, keys))
    receipts = book.scrub(keys, write=not dry_run)
    if as_json:
        dump(asdict(done) | {"receipts": receipts})
        return
    would = "would be " if dry_run else ""
    say("history", f"{done.changed} of {done.files} files {would}written anew")
    say("aside", f"{done.lines} lines {would}changed")
    say("receipts", f"{receipts} {would}changed" if receipts is not None else "this database has none")
    for name in done.damaged:
        say("damaged", f"{name} cannot be read and was not looked through; delete it")


COMMANDS = (history,)
