"""What commands print: a table for people, JSON for programs."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from zumolib.errors import ConfError
from zumolib.masking import KEYS, mask_text
from zumolib.masking.log import Masking

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(value: Any) -> str:
    """Text of a value, safe on a terminal: control characters, and those that turn it round, show as ``\\x1b``."""
    if value is None:
        return ""
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
    return _CONTROL.sub(_named, text)


def _named(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def dump(data: Any) -> None:
    """Print data as JSON; times as ISO 8601."""
    click.echo(json.dumps(data, indent=2, default=_encode, ensure_ascii=False))


def _encode(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def masked_keys() -> tuple[str, ...]:
    """The keys under which values are hidden; the built-in ones where the settings cannot be read."""
    from zumolib.conf import conf

    try:
        return conf().ZUMO_MASKED_KEYS
    except ConfError:
        return KEYS


def error_line(text: object) -> None:
    """Print why a command ends, without what must not be seen."""
    click.echo(f"zumo: {plain(mask_text(str(text), masked_keys()))}", err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print rows under a heading; columns named in `right` are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(value)) for value in row))
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        console.width = 200
    console.print(made)


def say(step: str, outcome: str) -> None:
    """Print one step of something that takes a while."""
    click.echo(f"  {step:<11} {plain(outcome)}")


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; yields what to call with how many are done, and of how many."""
    with click.progressbar(length=1, label=f"  {label:<11}", file=sys.stderr, show_eta=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield progress


def seconds(value: float | None) -> str:
    """A duration as people say it: ``0.4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if value is None:
        return ""
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def log_to_stderr() -> None:
    """Write what a long-running command logs, from INFO on, with times in UTC."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(Masking(masked_keys()))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
