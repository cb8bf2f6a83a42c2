"""The ``zumo`` command: a thin layer over the library.

What a command needs is imported inside of it: imports are most of what a command line waits for.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from zumolib import __version__
from zumolib.cli.output import error_line, masked_keys
from zumolib.errors import ZumoError
from zumolib.masking.log import mask_tracebacks


class Front(click.Group):
    """A group that shows errors meant for people as one line, in the order in which commands were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ZumoError as error:
            error_line(error)
            sys.exit(error.exit_code)
        except click.UsageError as error:
            place = error.ctx.command_path if error.ctx else "zumo"
            error_line(f"{error.format_message()} See `{place} --help`.")
            sys.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            # A disk that is full or a damaged database may show anywhere; anything else is ours to see whole.
            from zumolib.database import faults

            said = faults.line(error)
            if said is None:
                mask_tracebacks(masked_keys())
                raise
            error_line(said)
            sys.exit(1)


@click.group(cls=Front, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zumo")
def main() -> None:
    """Operate a Celery system: its schedule, its queues, its history, its reports."""


def _add_commands() -> None:
    from zumolib.cli import (
        calling,
        conf,
        consuming,
        entries,
        history,
        processes,
        receipts,
        reports,
        runbook,
        schedule,
        sizing,
        stack,
        users,
        work,
    )

    acting = (calling, entries, consuming, sizing, receipts)
    for module in (stack, schedule, *acting, runbook, work, reports, history, processes, users, conf):
        for command in module.COMMANDS:
            main.add_command(command)


_add_commands()
