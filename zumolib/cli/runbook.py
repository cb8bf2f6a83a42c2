"""``zumo runbook``: the runbooks, listed, run or opened as a dated copy."""

from __future__ import annotations

import sys
from typing import Any

import click

from zumolib.cli.effects import asks_itself, reads
from zumolib.cli.output import as_json, dump, plain, table


@click.group()
def runbook() -> None:
    """Notebooks for the usual troubles: find the cause, cure it, show that it is over."""


@runbook.command("list")
@as_json
@reads
def list_(as_json: bool) -> None:
    """List the runbooks with the symptom that each is for."""
    from zumolib.runbooks import copies

    found = copies.shipped()
    if as_json:
        dump([{"name": r.name, "title": r.title, "symptom": r.symptom, "notebook": r.path} for r in found])
    else:
        table(("runbook", "symptom"), [(r.name, r.symptom) for r in found])


@runbook.command("run")
@click.argument("name")
@click.option("--reason", required=True, help="Why; kept in the copy and in the receipts.")
@click.option("--apply", is_flag=True, help="Do what it finds necessary; without this it only looks.")
@click.option("--open", "open_", is_flag=True, help="Do not run it; say where JupyterLab opens the copy.")
@click.option("-p", "given", multiple=True, metavar="NAME=VALUE", help="Another parameter of the runbook.")
@as_json
@asks_itself
def run(name: str, reason: str, apply: bool, open_: bool, given: tuple[str, ...], as_json: bool) -> None:
    """Copy a runbook into reports/<date>/ with date and reason, run it there and keep it.

    Exit code 1 when something is left to do.
    """
    from zumolib.conf import conf, permission
    from zumolib.runbooks import copies

    found = copies.find(name)
    if apply:
        permission.check()
    parameters = {**dict(map(_pair, given)), "apply": apply}
    path = copies.copy(found, reason=reason, parameters=parameters, at=conf().now(), out=conf().ZUMO_REPORTS)
    if open_:
        _open(path, as_json)
        return
    ran = copies.run(path, conf())
    if as_json:
        dump({"notebook": ran.path, "verdicts": ran.verdicts, "over": ran.over, "failure": ran.failure})
    else:
        for label, verdict in zip(("found:", "afterwards:"), ran.verdicts, strict=False):
            click.echo(f"{label:<11} {plain(verdict)}")
        if ran.failure:
            click.echo(f"broke off:  {plain(ran.failure)}")
        click.echo(f"notebook:   {ran.path}")
    sys.exit(0 if ran.over else 1)


def _open(path: Any, as_json: bool) -> None:
    from urllib.parse import quote

    from zumolib.conf import PROJECT, conf
    from zumolib.stack.plan import Plan

    plan = Plan.load(conf().ZUMO_HOME)
    inside = path.is_relative_to(PROJECT)
    address = ""
    if plan is not None and inside:
        address = plan.jupyter_url.replace("/lab?", f"/lab/tree/{quote(str(path.relative_to(PROJECT)))}?")
    if as_json:
        dump({"notebook": path, "address": address or None})
        return
    click.echo(f"notebook:   {path}")
    if address:
        click.echo(f"JupyterLab: {address}")


def _pair(text: str) -> tuple[str, str]:
    from zumolib.errors import InputError

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"-p {text!r}: write it as name=value")
    return name.strip(), value


COMMANDS = (runbook,)
