"""``zumo conf`` and ``zumo env``: the settings."""

from __future__ import annotations

from pathlib import Path

import click

from zumolib.cli.effects import reads
from zumolib.cli.output import as_json, dump, say, table


@click.command()
@as_json
@reads
def conf(as_json: bool) -> None:
    """Print every setting and where it came from; secrets are hidden."""
    from dataclasses import asdict

    from zumolib import conf as settings

    rows = [asdict(row) for row in settings.explain(settings.conf())]
    if as_json:
        dump(rows)
    else:
        table(("setting", "value", "from", "what it is"), [tuple(row.values()) for row in rows])


@click.group()
def env() -> None:
    """The .env file that docker compose reads."""


@env.command("init")
@click.option(
    "--path", type=click.Path(path_type=Path), default=Path(".env"), show_default=True, help="File to write."
)
@click.option("--force", is_flag=True, help="Replace a file that is there; its passwords are lost.")
@reads
def env_init(path: Path, force: bool) -> None:
    """Write a .env file with fresh secrets, readable by you only."""
    from zumolib.stack import dotenv

    say("wrote", str(dotenv.init(path, force=force)))


COMMANDS = (conf, env)
