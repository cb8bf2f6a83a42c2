"""Every command of `zumo`, found and not listed, and words with which each can be called.

Whoever walks them fails on a command that is new, until it says here how it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from zumolib.cli import main

Path = tuple[str, ...]


def walk(group: click.Group, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    """Commands and groups of a group, each with the words that lead to it."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


ALL = list(walk(main))
LEAVES = [(path, command) for path, command in ALL if not isinstance(command, click.Group)]

# They serve until they are ended, end in another program, or write one file of the person's.
UNENDING = frozenset({"record", "web", "logs", "report", "env init"})


@dataclass(frozen=True)
class Target:
    """What of a system the commands are called with."""

    task: str
    arguments: tuple[str, ...]  # of the task
    entry: str
    queue: str
    worker: str
    scaling: str  # a worker with --autoscale
    receipt: str
    id: str = "some-task"


def calls(target: Target) -> dict[str, Path]:
    """Words after each command, by the command's name; those that act are not confirmed."""
    return {
        "up": (),
        "down": (),
        "status": (),
        "schedule install": (),
        "schedule list": (),
        "schedule drift": (),
        "call": (target.task, *target.arguments),
        "revoke": (target.id,),
        "retry": (target.id,),
        "reschedule": (target.entry, "--every", "5m"),
        "enable": (target.entry,),
        "disable": (target.entry,),
        "pause": (target.queue,),
        "resume": (target.queue, "--worker", target.worker),
        "purge": (target.queue,),
        "limit rate": (target.task, "1/h"),
        "limit time": (target.task, "--soft", "5", "--hard", "6"),
        "pool grow": (target.worker,),
        "pool shrink": (target.worker,),
        "pool autoscale": (target.scaling, "--least", "2", "--most", "3"),
        "pool shutdown": (target.worker,),
        "actions": (),
        "undo": (target.receipt,),
        "runbook list": (),
        "runbook run": ("03", "--reason", "to see"),
        "run": (),
        "demo load": (),
        "drill": (),
        "migrate": (),
        "history scrub": (),
        "user add": ("somebody", "--password-stdin"),
        "user password": ("somebody", "--password-stdin"),
        "conf": (),
    }


def confirmation(command: click.Command) -> Path:
    """The words that let a command act without a question; none for one that asks nothing."""
    offered = {parameter.name for parameter in command.params}
    return ("--yes",) if "yes" in offered else ("--apply",) if "apply" in offered else ()
