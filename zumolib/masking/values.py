"""Plain data and calls without what must not be seen."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence, Set
from dataclasses import dataclass
from typing import Any

from zumolib.masking import beside
from zumolib.masking.keys import KEYS, masked
from zumolib.masking.shapes import MASK
from zumolib.masking.text import mask_text

DEEPEST = 50
"""What is nested deeper than this is hidden whole."""


@dataclass(frozen=True)
class Hidden:
    """Which positional arguments of a task are hidden: some, and all from `rest` on."""

    positions: frozenset[int] = frozenset()
    rest: int | None = None

    def __contains__(self, position: object) -> bool:
        if not isinstance(position, int):
            return False
        return position in self.positions or (self.rest is not None and position >= self.rest)

    def __bool__(self) -> bool:
        return bool(self.positions) or self.rest is not None


def mask_value(value: Any, keys: Sequence[str] = KEYS) -> Any:
    """A copy of plain data (dicts, lists, tuples, sets, texts, records) with what is secret hidden.

    Hidden are values under masked keys, the second of a pair whose first is such a key, the ``value`` beside
    such a ``name``, and in texts what :func:`~zumolib.masking.text.mask_text` hides. Instances of dataclasses
    become dicts, bytes with a secret become text; what is not plain data stays the object that it is.
    """
    keys = tuple(keys)
    return _Walk(keys).value(value, 0) if keys else value


class _Walk:
    """One walk through data, in which each container is looked at once, however often it occurs."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.done: dict[int, Any] = {}

    def value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return mask_text(value, self.keys)
        if isinstance(value, bytes | bytearray):
            text = bytes(value).decode("utf-8", "replace")
            shown = mask_text(text, self.keys)
            return value if shown == text else shown
        if not isinstance(value, Mapping | MutableSequence | tuple | Set) and not _is_record(value):
            return value
        if id(value) not in self.done:
            self.done[id(value)] = MASK  # what holds itself
            self.done[id(value)] = MASK if depth >= DEEPEST else self._container(value, depth + 1)
        return self.done[id(value)]

    def _container(self, value: Any, depth: int) -> Any:
        if _is_record(value):
            value = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            named = self._names_secret(value)
            return {
                self._key(key): MASK
                if self._hides(key) or (named and key in beside.VALUES)
                else self.value(inner, depth)
                for key, inner in value.items()
            }
        if isinstance(value, Set):
            shown = [self.value(inner, depth) for inner in value]
            return frozenset(shown) if isinstance(value, frozenset) else set(shown)
        names = getattr(value, "_fields", None)
        if isinstance(names, tuple) and len(names) == len(value):  # a named tuple
            return tuple(
                MASK if self._hides(name) else self.value(inner, depth)
                for name, inner in zip(names, value, strict=True)
            )
        shown = [
            MASK if self._follows_flag(value, at) else self.value(inner, depth)
            for at, inner in enumerate(value)
        ]
        return tuple(shown) if isinstance(value, tuple) else shown

    def _key(self, key: Any) -> Any:
        return mask_text(key, self.keys) if isinstance(key, str) else key

    def _hides(self, key: Any) -> bool:
        if isinstance(key, bytes):
            key = key.decode("utf-8", "replace")
        return isinstance(key, str | tuple) and masked(str(key), self.keys)

    def _names_secret(self, value: Mapping[Any, Any]) -> bool:
        return any(
            self._hides(tuple(name) if field == "loc" and isinstance(name, list) else name)
            for field, name in ((field, value.get(field)) for field in beside.NAMES)
        )

    def _follows_flag(self, value: Sequence[Any], at: int) -> bool:
        """Whether this element is the second of a pair, or what follows a flag, whose name is masked."""
        before = value[at - 1] if at else None
        if not isinstance(before, str | bytes) or not self._hides(before):
            return False
        return len(value) == 2 or (isinstance(before, str) and before.startswith("-") and "=" not in before)


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def mask_call(
    function: Callable[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any], keys: Sequence[str]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments of a call with masked values, positional ones by the names of the function's parameters."""
    keys = tuple(keys)
    hidden = hidden_positions(function, keys)
    return (
        [MASK if at in hidden else mask_value(value, keys) for at, value in enumerate(args)],
        mask_value(dict(kwargs), keys),
    )


def hidden_positions(function: Callable[..., Any] | None, keys: Sequence[str]) -> Hidden:
    """Which positional arguments of a function have a masked name; none where it has no signature."""
    keys = tuple(keys)
    positions, rest = [], None
    for at, parameter in enumerate(_positional(function)):
        if not masked(parameter.name, keys):
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = at
        else:
            positions.append(at)
    return Hidden(frozenset(positions), rest)


def _positional(function: Callable[..., Any] | None) -> Iterator[inspect.Parameter]:
    if function is None:
        return
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return
    for parameter in parameters:
        if parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            yield parameter
