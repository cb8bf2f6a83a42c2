"""What all commands that act have in common: preview, confirmation, receipt."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zumolib.cli.effects import asks_itself
from zumolib.cli.output import as_json, dump, plain, table

if TYPE_CHECKING:
    import pandas as pd

    from zumolib.control import Plan, Receipt

MOST_SHOWN = 50  # rows of a preview


@dataclass(frozen=True)
class How:
    """How an action is to be carried out."""

    dry_run: bool
    as_json: bool
    yes: bool
    reason: str


def acts(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--dry-run``, ``--yes``, ``--reason`` and ``--json``; it is called with ``how``."""

    @click.option("--dry-run", is_flag=True, help="Show what would be affected, and do nothing.")
    @click.option("--yes", "-y", is_flag=True, help="Do it without asking.")
    @click.option("--reason", "-m", default="", help="Why; it is kept in the receipt.")
    @as_json
    def wrapped(dry_run: bool, yes: bool, reason: str, as_json: bool, **arguments: Any) -> Any:
        return command(how=How(dry_run, as_json, yes, reason), **arguments)

    wrapped = asks_itself(wrapped)
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = [  # type: ignore[attr-defined]
        *wrapped.__click_params__,  # type: ignore[attr-defined]
        *getattr(command, "__click_params__", []),
    ]
    return wrapped


def act(plan: Plan, how: How) -> Receipt | None:
    """Show a plan, ask, apply it, show the receipt. Exit code 1 when not all of it worked.

    Raises
    ------
    InputError
        When nobody can be asked and ``--yes`` was not given.
    """
    from zumolib import control
    from zumolib.conf import permission
    from zumolib.errors import InputError

    if how.dry_run:
        show_plan(plan, how)
        return None
    permission.check()
    if plan.preview.empty:
        raise InputError(f"nothing to do: {plan.summary}")
    if not how.yes:
        if how.as_json or not sys.stdin.isatty():
            raise InputError("nothing was done: add --yes to do it, or --dry-run to see what it would affect")
        show_plan(plan, how)
        if not click.confirm("Do it?"):
            click.echo("nothing was done")
            return None
    receipt = control.apply(plan, reason=how.reason)
    if how.as_json:
        dump({"applied": True, "receipt": as_data(receipt)})
    else:
        show_receipt(receipt)
    if not receipt.ok:
        sys.exit(1)
    return receipt


def show_plan(plan: Plan, how: How) -> None:
    """The sentence, the rows, and what cannot be guaranteed."""
    if how.as_json:
        more = {"refused": records(plan.refused)} if hasattr(plan, "refused") else {}
        more |= {"firings": records(plan.firings)} if hasattr(plan, "firings") else {}
        dump(
            {
                "applied": False,
                "action": plan.action,
                "summary": plan.summary,
                "preview": records(plan.preview),
                "caveats": list(plan.caveats),
                **more,
            }
        )
        return
    click.echo(plain(plan.summary))
    show_frame(plan.preview)
    for name, title in (("firings", "next firings"), ("refused", "refused")):
        frame = getattr(plan, name, None)
        if frame is not None and len(frame):
            click.echo(title)
            show_frame(frame)
    for caveat in plan.caveats:
        click.echo(f"note: {plain(caveat)}")


def show_receipt(receipt: Receipt) -> None:
    """What came of it, and how to undo it."""
    click.echo(f"{receipt.state}: {plain(receipt.outcome)}")
    click.echo(plain(str(receipt.checked)))
    for step in receipt.steps:
        if not step["ok"]:
            click.echo(f"  {plain(step['target'])}: {plain(step['outcome'])}", err=True)
    click.echo(f"receipt {receipt.id}; {receipt.how_to_undo}")


def show_frame(frame: pd.DataFrame) -> None:
    """A table of at most :data:`MOST_SHOWN` rows, without columns that say nothing."""
    shown = frame.head(MOST_SHOWN).dropna(axis="columns", how="all")
    rows = [[text(value) for value in row] for row in shown.itertuples(index=False)]
    if rows:
        table([str(column).replace("_", " ") for column in shown.columns], rows)
    if len(frame) > MOST_SHOWN:
        click.echo(f"… and {len(frame) - MOST_SHOWN:,} more; --json shows all")


def text(value: Any) -> str:
    """A cell as text."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if _missing(value):
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame as JSON."""
    return [
        {
            str(key): None
            if _missing(value)
            else list(value)
            if isinstance(value, tuple)
            else value.item()
            if hasattr(value, "item")
            else value
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


def as_data(receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON."""
    from dataclasses import asdict

    return {**asdict(receipt), "verified": receipt.verified, "how_to_undo": receipt.how_to_undo}


def _missing(value: Any) -> bool:
    import pandas as pd

    return not isinstance(value, tuple | list | dict) and bool(pd.isna(value))
