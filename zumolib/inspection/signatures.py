"""Signatures of tasks, as plain data: what a worker tells of its own, and a caller reads."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zumolib.masking import KEYS, MASK, Hidden, hidden_positions, mask_text, masked

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a task."""

    name: str
    kind: str  # positional, keyword, *args or **kwargs
    required: bool
    default: str  # as text, masked; empty where it is required
    type: str  # its annotation as text, else the type of its default, else empty

    @classmethod
    def of(cls, parameter: inspect.Parameter, keys: Sequence[str] = KEYS) -> Parameter:
        """One of Python's, its default without what must not be seen."""
        kinds: dict[Any, str] = {
            parameter.VAR_POSITIONAL: "*args",
            parameter.VAR_KEYWORD: "**kwargs",
            parameter.KEYWORD_ONLY: "keyword",
        }
        kind = kinds.get(parameter.kind, "positional")
        has_default = parameter.default is not parameter.empty
        annotation = parameter.annotation
        if annotation is not parameter.empty:
            type_ = (
                annotation
                if isinstance(annotation, str)
                else getattr(annotation, "__name__", str(annotation))
            )
        else:
            type_ = type(parameter.default).__name__ if has_default and parameter.default is not None else ""
        default = _default(parameter, tuple(keys)) if has_default else ""
        return cls(parameter.name, kind, not has_default and "*" not in kind, default, str(type_))


def _default(parameter: inspect.Parameter, keys: tuple[str, ...]) -> str:
    value = parameter.default
    says_nothing = value is None or isinstance(value, bool) or (isinstance(value, str) and not value)
    if masked(parameter.name, keys) and not says_nothing:
        return repr(MASK)
    return mask_text(repr(value), keys)


def describe(function: Any, keys: Sequence[str] = KEYS) -> tuple[Parameter, ...] | None:
    """Parameters of a task's function; None where it has no signature.

    Parameters
    ----------
    keys
        Defaults of parameters with such names are hidden; see :mod:`zumolib.masking`.
    """
    try:
        return tuple(Parameter.of(p, keys) for p in inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def first_line(function: Any) -> str:
    """First line of a function's description."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


def hidden_arguments(app: Celery, keys: Sequence[str]) -> dict[str, Hidden]:
    """Which positional arguments of which tasks have a masked name, as far as the app's modules can be imported.

    Returns
    -------
    dict
        By the name of the task; only those with such an argument.
    """
    try:
        app.loader.import_default_modules()
        tasks = dict(app.tasks)
    except Exception as error:  # noqa: BLE001 - another project's modules may raise whatever they like
        tasks = dict(app.tasks) if app.finalized else {}
        logger.warning(
            "Not all task modules of %s can be imported (%s: %s): positional arguments of unknown tasks are "
            "recorded as they are, unless their form shows that they are secret",
            *(app.main, type(error).__name__, error),
        )
    found = {name: hidden_positions(getattr(task, "run", None), keys) for name, task in tasks.items()}
    return {name: hidden for name, hidden in found.items() if hidden}
