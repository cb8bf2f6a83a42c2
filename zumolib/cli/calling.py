"""``zumo call``, ``zumo revoke`` and ``zumo retry``: tasks."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from zumolib.cli import duration, target
from zumolib.cli.acting import How, act, acts
from zumolib.cli.output import dump, plain, table

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control.catalog import Task


@click.command()
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1)
@click.option("--args", "positional", help="Positional arguments as a JSON list.")
@click.option("--kwargs", "named", help="Named arguments as a JSON object.")
@click.option("--entry", is_flag=True, help="NAME is an entry of the schedule: send its task as beat would.")
@click.option("--queue", help="Queue to send it to; its route decides by default.")
@click.option("--priority", type=int, help="0 to 9 on Redis (0 first), 0 to 255 on RabbitMQ (255 first).")
@click.option("--countdown", help="Wait so long before it runs, as 90s, 5m or 2h.")
@click.option("--eta", help="Time before which it does not run (ISO 8601, UTC).")
@click.option("--expires", help="Do not run it after so long, as 90s, 5m or 2h.")
@click.option("--wait", help="Follow it to its result, for so long at most, as 30s.")
@acts
def call(name: str | None, arguments: tuple[str, ...], how: How, **options: Any) -> None:
    """Call a task; without a NAME, list those that workers have registered.

    ARGUMENTS are values in the order of the task's signature, or name=value, each read as its parameter's
    type, or name:=JSON.
    """
    from zumolib import control

    app = target.find_app()
    if options["entry"] and name:
        plan: control.call.Call = control.run_now.plan(app, name)
    else:
        known = control.catalog.tasks(app)
        if name is None:
            _list(known, how)
            return
        args, kwargs = _arguments(known.get(name), arguments, options["positional"], options["named"])
        plan = control.call.plan(
            app,
            name,
            args,
            kwargs,
            queue=options["queue"],
            priority=options["priority"],
            countdown=duration.seconds(options["countdown"], "--countdown"),
            eta=duration.moment(options["eta"], "--eta"),
            expires=duration.seconds(options["expires"], "--expires"),
            known=known,
        )
    limit = duration.seconds(options["wait"], "--wait")
    receipt = act(plan, how)
    if receipt is not None and limit is not None:
        _follow(app, plan.task_id, limit, how)


def _list(known: dict[str, Task], how: How) -> None:
    if how.as_json:
        dump(
            [
                {"name": t.name, "signature": t.signature, "queue": t.queue, "doc": t.doc}
                for t in known.values()
            ]
        )
        return
    if not known:
        click.echo("no worker answers; `zumo status` shows what runs")
        return
    table(
        ("task", "signature", "queue", "what it does"),
        [(t.name, t.signature, t.queue, t.doc) for t in known.values()],
    )


def _arguments(
    task: Task | None, words: tuple[str, ...], positional: str | None, named: str | None
) -> tuple[list[Any], dict[str, Any]]:
    from zumolib.control.catalog import typed
    from zumolib.errors import InputError

    args = _json(positional, list, "--args") if positional else []
    kwargs = _json(named, dict, "--kwargs") if named else {}
    types = {p.name: p.type for p in (task.parameters if task else None) or () if "*" not in p.kind}
    for word in words:
        name, sign, value = word.partition("=")
        if sign and name.endswith(":"):
            kwargs[name[:-1]] = _json(value, object, name[:-1])
        elif sign and name.isidentifier():
            kwargs[name] = typed(value, types.get(name, ""))
        elif kwargs and not named:
            raise InputError(f"{word!r} comes after a named argument; put values without a name first")
        else:
            in_order = list(types.values())
            args.append(typed(word, in_order[len(args)] if len(args) < len(in_order) else ""))
    return args, kwargs


def _json(text: str, kind: type, what: str) -> Any:
    from zumolib.errors import InputError

    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{what} {text!r} is no JSON ({error}); quote it for the shell") from None
    if not isinstance(value, kind):
        noun = {"list": "list like [1, 2]", "dict": 'object like {"days": 30}'}[kind.__name__]
        raise InputError(f"{what} {text!r} is no JSON {noun}")
    return value


def _follow(app: Celery, task_id: str, seconds: float, how: How) -> None:
    from zumolib import control

    def say(change: Any) -> None:
        if not how.as_json:
            click.echo(f"{change.at:%H:%M:%S} {change.state}")

    found = control.follow(app, task_id, timeout=seconds, changed=say)
    if how.as_json:
        dump({"id": found.id, "state": found.state, "ready": found.ready, "result": found.text})
    elif found.ready:
        click.echo(plain(found.text))
    else:
        click.echo(f"no result within {seconds:g} s; it is {found.state}")
    if found.state != "SUCCESS":
        sys.exit(1)


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--name", help="Tasks of this name; * stands for anything.")
@click.option("--queue", help="Tasks of this queue; * stands for anything.")
@click.option("--worker", help="Tasks that this worker has; * stands for anything.")
@click.option("--state", multiple=True, help="active, reserved, scheduled or queued; may be repeated.")
@click.option("--older", help="Tasks that have been running for so long, as 10m or 2h.")
@click.option("--args", help="Tasks whose arguments contain this text.")
@click.option("--terminate", is_flag=True, help="Also end the process of a task that runs.")
@click.option("--signal", default="TERM", show_default=True, help="Signal with which to end it.")
@click.option("--anyway", is_flag=True, help="Also ids that nobody knows, or whose task has ended.")
@acts
def revoke(ids: tuple[str, ...], how: How, **options: Any) -> None:
    """Revoke tasks: these IDS, or all that match every filter given."""
    from zumolib import control

    app = target.find_app()
    plan = control.revoke.plan(
        app,
        ids or None,
        name=options["name"],
        queue=options["queue"],
        worker=options["worker"],
        state=options["state"] or None,
        older=duration.seconds(options["older"], "--older"),
        args=options["args"],
        terminate=options["terminate"],
        signal=options["signal"],
        anyway=options["anyway"],
        seen=target.look(app),
    )
    act(plan, how)


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--name", help="Failed tasks of this name, from the recorded history; * stands for anything.")
@click.option("--queue", help="Failed tasks of this queue, likewise.")
@click.option("--error", help="Failed tasks whose error contains this text.")
@click.option("--since", default="1d", show_default=True, help="How far back the history is looked through.")
@click.option("--again", is_flag=True, help="Also those that were retried before.")
@click.option("--to", help="Send them to this queue; without it each goes back to where it came from.")
@acts
def retry(ids: tuple[str, ...], how: How, **options: Any) -> None:
    """Retry failed tasks from their real arguments: these IDS, or all that match every filter given."""
    from zumolib import control
    from zumolib.errors import InputError

    app = target.find_app()
    filters = {key: options[key] for key in ("name", "queue", "error")}
    if ids and any(filters.values()):
        raise InputError("give IDS, or filters, and not both")
    wanted = list(ids)
    if not wanted and any(filters.values()):
        wanted = _failed(duration.seconds(options["since"], "--since") or 0, **filters)
        if not wanted:
            raise InputError(
                f"no failed task of the last {options['since']} matches; look further back by --since"
            )
    act(control.retry.plan(app, wanted, again=options["again"], to=options["to"]), how)


def _failed(seconds: float, *, name: str | None, queue: str | None, error: str | None) -> list[str]:
    """Ids of failed tasks in the recorded history."""
    from datetime import UTC, datetime, timedelta

    from zumolib import parsing
    from zumolib.conf import conf
    from zumolib.history import History

    now = datetime.now(UTC)
    tasks = History(conf().history).tasks(now - timedelta(seconds=seconds), now, state="FAILURE")
    for column, pattern in (("name", name), ("queue", queue)):
        if pattern:
            tasks = tasks[[parsing.fits(value, pattern) for value in tasks[column]]]
    if error:
        tasks = tasks[tasks["exception"].fillna("").astype(str).str.contains(error, regex=False)]
    return [str(task_id) for task_id in tasks["task_id"]]


COMMANDS = (call, revoke, retry)
