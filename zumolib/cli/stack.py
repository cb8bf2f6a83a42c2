"""``zumo up|down|status|logs``: the embedded stack."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, NoReturn

import click

from zumolib.cli.effects import reads, starts, writes
from zumolib.cli.output import as_json, dump, plain, say, seconds, table
from zumolib.errors import InputError


@click.command()
@starts
def up() -> None:
    """Start the embedded stack, or what of it does not run, and wait until it works."""
    from zumolib.stack import lifecycle

    plan = lifecycle.up(say)
    click.echo(f"\nJupyterLab: {plan.jupyter_url}")


@click.command()
@writes
def down() -> None:
    """End the embedded stack; what it keeps on disk stays."""
    from zumolib.stack import lifecycle

    click.echo("stopped" if lifecycle.down(say) else "nothing was running")


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["disk", "broker", "recorder", "cache", "results", "database", "beat", "worker"]),
    help="Ask this alone, as a health check of one service does; may be given several times.",
)
@as_json
@reads
def status(only: tuple[str, ...], as_json: bool) -> None:
    """Show services, what does its work, queues, recorders and the history's files.

    \b
    Exit codes, the first that holds:
      1  something fails or does not run: a service, the disk (below
         ZUMO_MIN_FREE_MB free), broker, results, cache, database, beat,
         recorder or worker, or the history is damaged
      4  something is not known
      3  a warning: the disk is nearly full, or events wait for a recorder
      0  everything does its work
    """
    if only:
        _show_only(only, as_json)
    from zumolib.stack.status import status as look

    state = look()
    if as_json:
        dump(state)
    else:
        _show(state)
    sys.exit(_exit_code(state))


def _show_only(only: tuple[str, ...], as_json: bool) -> NoReturn:
    """Ask some of the questions, and end with their exit code."""
    from dataclasses import asdict

    from zumolib.deployment import ownership
    from zumolib.vitals import questions
    from zumolib.vitals.answer import EXIT_CODES, worst

    answers = questions.all_questions(own=ownership.is_own_app(), only=only)
    if unasked := set(only) - {answer.id for answer in answers}:
        raise InputError(f"--only {min(unasked)}: not asked beside another project's app")
    if as_json:
        dump([asdict(answer) for answer in answers])
    else:
        _show_answers([asdict(answer) for answer in answers])
    sys.exit(EXIT_CODES[worst(answers)])


def _show_answers(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        click.echo(f"{answer['id']}: {answer['state']}, {plain(answer['evidence'])}")
        if answer["remedy"]:
            click.echo(f"  {plain(answer['remedy'])}")


def _exit_code(state: dict[str, Any]) -> int:
    from zumolib.vitals.answer import EXIT_CODES, FAILING, WORST_FIRST

    states = {answer["state"] for answer in state["health"]}
    # What looks at another app may be a single recorder, without a stack.
    runs = (state["watches_only"] and not state["services"]) or state["running"]
    if (
        state["supervisor"] == "silent"
        or not runs
        or any(service["state"] != "running" for service in state["services"])
    ):
        states.add(FAILING)
    if (state["beat"] and not state["beat"]["works"]) or state["history"]["problem"]:
        states.add(FAILING)
    return next(EXIT_CODES[found] for found in WORST_FIRST if found in states)


def _show(state: dict[str, Any]) -> None:
    for recorder in state["recorders"]:
        click.echo(_recorder(recorder))
    click.echo(_history(state["history"]))
    _show_answers(state["health"])
    if state["supervisor"] == "silent":
        click.echo(
            f"supervisord does not answer ({state['home']}), so nothing is known of its services; `zumo down` ends "
            "the stack, `zumo up` starts it again"
        )
        return
    if state["watches_only"] and not state["running"]:
        click.echo(f"another project's app is watched; no embedded stack runs beside it ({state['home']})")
        return
    if not state["running"]:
        click.echo(f"not running ({state['home']}); start it with `zumo up`")
        if state["left_behind"]:
            click.echo(f"{state['left_behind']} processes were left behind; `zumo down` ends them")
        return
    rows = [
        (s["name"], s["state"], s["pid"], s["port"], seconds(s["uptime_seconds"]), s["problem"] or s["log"])
        for s in state["services"]
    ]
    table(("service", "state", "pid", "port", "up for", "log"), rows, right=("pid", "port", "up for"))
    if state["beat"]:
        click.echo(f"beat: {plain(state['beat']['said'])}")
        for name, why in state["beat"]["skipped"].items():
            click.echo(f"  left out: {plain(name)}: {plain(why)}")
    if state["queues"]:
        click.echo("ready: " + "  ".join(f"{name} {ready:,}" for name, ready in state["queues"].items()))
    click.echo(f"JupyterLab: {state['jupyter_url']}")


def _recorder(said: dict[str, Any]) -> str:
    """One line of what a recorder says of itself, and another for each trouble."""
    parts = [
        f"{said['events_per_second']:,.1f} events/s from {said['source'] or 'nowhere yet'}",
        f"last flush {said['last_flush'] or 'never'}",
    ]
    if said["lag_seconds"] is not None:
        parts.append(f"lag {seconds(said['lag_seconds'])}")
    counts = {"waiting": said["waiting"], "held": said["held"] or None, "dropped": said["dropped"]}
    counts |= {"malformed": said["malformed"], "reconnects": said["reconnects"]}
    parts += [f"{count:,} {name}" for name, count in counts.items() if count is not None]
    lines = [f"recorder {plain(said['name'])}: {plain(said['state'])}, {', '.join(parts)}"]
    troubles = {"": said["reason"], "depths: ": said["depths"], "files: ": said["files"]}
    if said["overflow"]:
        troubles["overflow: "] = (
            f"the broker's queue of events was full at {said['overflow']}; the oldest were dropped, how many is "
            "not known: keep a recorder running"
        )
    return "\n".join(lines + [f"  {what}{plain(why)}" for what, why in troubles.items() if why])


def _history(said: dict[str, Any]) -> str:
    """One line of what can be read of the history, and another for a trouble."""
    line = f"history {plain(said['place'])}: {said['state']}"
    if said["state"] != "unreachable":
        line += f", {said['files']:,} files"
    trouble = "; ".join(part for part in (said["problem"], said["remedy"]) if part)
    return f"{line}\n  {plain(trouble)}" if trouble else line


@click.command()
@click.argument("service", required=False)
@click.option(
    "-n", "lines", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Lines to show."
)
@click.option("-f", "follow", is_flag=True, help="Go on showing what is added.")
@reads
def logs(service: str | None, lines: int, follow: bool) -> None:
    """Show the end of a service's log, or of all logs."""
    from zumolib.conf import conf
    from zumolib.errors import InputError

    folder = conf().ZUMO_HOME / "log"
    found = sorted(folder.glob("*.log"))
    if service:
        if service not in {path.stem for path in found}:
            names = ", ".join(path.stem for path in found) or "none yet; start the stack with `zumo up`"
            raise InputError(f"there is no log of {service!r}; there are: {names}")
        found = [folder / f"{service}.log"]
    if not found:
        raise InputError(f"there are no logs in {folder} yet; start the stack with `zumo up`")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, found)]
    sys.exit(subprocess.run(command, check=False).returncode)


COMMANDS = (up, down, status, logs)
