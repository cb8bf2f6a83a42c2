"""What a command does to the system that it operates on. Every command declares it; a writing one asks first."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

import click


class Effect(StrEnum):
    """What a command changes."""

    READS = "nothing; it may make files of its own, such as a report"
    ACTS = "what its plan says, after the preview; it asks for permission when it is to be applied"
    WRITES = "the system; it asks for permission before anything else"
    STARTS = "which processes of the workbench run; what has to be written for that asks for permission"


def reads(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a command changes nothing of the system."""
    return _declare(command, Effect.READS)


def asks_itself(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a command looks without permission, and asks for it before it acts."""
    return _declare(command, Effect.ACTS)


def starts(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a command starts processes of the workbench, and asks where it writes for them."""
    return _declare(command, Effect.STARTS)


def writes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a command changes the system, and refuse it where actions are not wanted.

    Raises
    ------
    ReadOnly
        By the command, before it does anything.
    """

    @wraps(command)
    def asking(*positional: Any, **named: Any) -> Any:
        from zumolib.conf import permission

        permission.check()
        return command(*positional, **named)

    return _declare(asking, Effect.WRITES)


def effect(command: click.Command) -> Effect | None:
    """What a command declares; None where it declares nothing."""
    return getattr(command.callback, "effect", None)


def _declare(command: Callable[..., Any], effect: Effect) -> Callable[..., Any]:
    command.effect = effect  # type: ignore[attr-defined]
    return command
