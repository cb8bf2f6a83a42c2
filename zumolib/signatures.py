"""Signatures of tasks, as plain data: what a worker tells of its own, and a caller reads."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """One parameter of a task."""

    name: str
    kind: str  # positional, keyword, *args or **kwargs
    required: bool
    default: str  # as text; empty where it is required
    type: str  # its annotation as text, else the type of its default, else empty

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> Parameter:
        """One of Python's."""
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
        default = repr(parameter.default) if has_default else ""
        return cls(parameter.name, kind, not has_default and "*" not in kind, default, str(type_))


def describe(function: Any) -> tuple[Parameter, ...] | None:
    """Parameters of a task's function; None where it has no signature."""
    try:
        return tuple(Parameter.of(p) for p in inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def first_line(function: Any) -> str:
    """First line of a function's description."""
    return (inspect.getdoc(function) or "").partition("\n")[0]
