"""``zumo actions`` and ``zumo undo``: what was done, and taking it back."""

from __future__ import annotations

import click

from zumolib.cli import target
from zumolib.cli.acting import How, act, acts, as_data, records, show_frame, text
from zumolib.cli.effects import reads
from zumolib.cli.output import as_json, dump, plain, table


@click.command()
@click.argument("receipt", type=int, required=False)
@click.option("--action", default="", help="Only this action, as revoke or reschedule.")
@click.option("--target", "about", default="", help="Only actions on targets that contain this text.")
@click.option("-n", "limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@as_json
@reads
def actions(receipt: int | None, action: str, about: str, limit: int, as_json: bool) -> None:
    """List the last actions, the newest first; with a RECEIPT's id, show all that is known of it."""
    from zumolib.receipts import book

    if receipt is not None:
        made = book.read(receipt)
        found = as_data(made)
        if as_json:
            dump(found)
        else:
            shown = {**found, "checked": str(made.checked)}
            table(("what", "value"), [(key.replace("_", " "), _cell(value)) for key, value in shown.items()])
        return
    frame = book.latest(limit=limit, action=action, target=about)
    if as_json:
        dump(records(frame))
    elif frame.empty:
        click.echo("no action is on record; `zumo --help` shows what can be done")
    else:
        show_frame(frame)
        click.echo("times in UTC")


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(plain(str(item)) for item in value[:20]) + ("\n…" if len(value) > 20 else "")
    return "" if value is None else text(value) if not isinstance(value, dict) else str(value)


@click.command()
@click.argument("receipt", type=int)
@acts
def undo(receipt: int, how: How) -> None:
    """Take back the action of a RECEIPT: schedule edits, pauses, limits and pool sizes."""
    from zumolib import control

    act(control.undoing.plan(target.find_app(), receipt), how)


COMMANDS = (actions, undo)
