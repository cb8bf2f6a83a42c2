"""``zumo report`` and ``zumo notebooks``: notebooks run headless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zumolib.cli.effects import reads
from zumolib.cli.output import as_json, dump, progress_bar

if TYPE_CHECKING:
    from zumolib.headless.reports import Report


@click.command()
@click.option("--date", "day", help="Day to report on, as 2026-11-22 (UTC); today by default.")
@as_json
@reads
def report(day: str | None, as_json: bool) -> None:
    """Run the daily report into reports/<date>/ as a notebook and as an offline page.

    Exit code 1 when a cell failed; what was made until then is kept.
    """
    made = make_report(day)
    if as_json:
        dump({"notebook": made.path_ipynb, "page": made.path_html, "seconds": round(made.seconds, 2)})
    else:
        click.echo(f"Report:     {made.path_html}")


def make_report(day: str | None) -> Report:
    """Run the daily report with a progress bar."""
    from zumolib.conf import conf
    from zumolib.headless import reports

    with progress_bar("report") as progress:
        return reports.daily(day, conf=conf(), progress=progress)


COMMANDS = (report,)
