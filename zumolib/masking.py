"""Hide what must not be seen: argument values under keys such as ``password`` or ``token``.

Pure functions, given the keys (``ZUMO_MASKED_KEYS``). A key matches by its words, whatever joins them:
``token`` hides ``access_token``, ``apiToken`` and ``tokens``, and leaves ``tokenize`` alone.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

MASK = "***"
KEYS = (
    *("password", "passwd", "passphrase", "pwd", "secret", "token", "authorization", "credential"),
    *("api_key", "private_key", "access_key", "card", "cvv", "cvc", "iban", "pin", "ssn"),
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# A key in a representation: quoted, as in a dict, or bare before "=", as in a call.
_KEY = re.compile(
    r"""(?P<quote>['"])(?P<key>[\w .\-]{1,80})(?P=quote)\s*:\s*|(?<![\w\-])(?P<bare>[\w\-]{1,80})\s*=\s*"""
)
_QUOTED = r"""[bBrRuU]{0,2}(?:'(?:[^'\\]|\\.)*(?:'|\\?\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z))"""
_STRING = re.compile(_QUOTED, re.DOTALL)
_NESTED = re.compile(rf"(?P<bracket>[()\[\]{{}}])|{_QUOTED}", re.DOTALL)
_BARE = re.compile(r"[^,()\[\]{}\s]*")
_OPEN = "([{"


@lru_cache(maxsize=4096)
def masked(key: str, keys: Sequence[str] = KEYS) -> bool:
    """Whether values under this key are hidden."""
    its = words(key)
    return any(_within(words(wanted), its) for wanted in keys)


def mask_value(value: Any, keys: Sequence[str] = KEYS) -> Any:
    """A copy of plain data (dicts, lists, tuples, texts) with the values under masked keys hidden.

    What is not plain data stays the object that it is. Texts inside are looked through as well, since an
    argument may hold a JSON document or a representation.
    """
    keys = tuple(keys)
    match value:
        case Mapping():
            return {
                key: MASK if isinstance(key, str) and masked(key, keys) else mask_value(inner, keys)
                for key, inner in value.items()
            }
        case list():
            return [mask_value(inner, keys) for inner in value]
        case tuple():
            return tuple(mask_value(inner, keys) for inner in value)
        case str():
            return mask_text(value, keys)
    return value


def mask_text(text: str, keys: Sequence[str] = KEYS) -> str:
    """A representation of arguments with the values under masked keys hidden.

    It may be Python's or JSON's, and cut anywhere: a value without its end is hidden to the end of the
    text. What stands in positional arguments has no key, and stays; see :func:`mask_call`.
    """
    keys = tuple(keys)
    parts: list[str] = []
    done = 0
    for found in _KEY.finditer(text):
        key = found["key"] or found["bare"]
        if found.start() < done or not masked(key, keys):
            continue
        parts += (text[done : found.end()], f"'{MASK}'" if found["quote"] != '"' else f'"{MASK}"')
        done = _value_end(text, found.end())
    return "".join((*parts, text[done:])) if parts else text


def mask_call(
    function: Callable[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any], keys: Sequence[str]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments of a call with masked values, positional ones by the names of the function's parameters."""
    keys = tuple(keys)
    names = tuple(_parameters(function)) if function is not None else ()
    named = zip(args, (*names, *[""] * len(args)), strict=False)
    return (
        [MASK if name and masked(name, keys) else mask_value(value, keys) for value, name in named],
        mask_value(dict(kwargs), keys),
    )


def _parameters(function: Callable[..., Any]) -> Iterator[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            yield parameter.name


@lru_cache(maxsize=4096)
def words(key: str) -> tuple[str, ...]:
    """A key's words, in lower case: ``apiKey`` and ``api-key`` are both ``("api", "key")``."""
    return tuple(word.lower() for word in _WORD.findall(key))


def _within(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if not wanted:
        return False
    joined = "".join(wanted)
    for first in range(len(words)):
        found = ""
        for word in words[first:]:
            found += word
            if found in (joined, f"{joined}s"):
                return True
            if len(found) > len(joined):  # words are looked at no further than the wanted one reaches
                break
    return False


def _value_end(text: str, at: int) -> int:
    """Where the value that begins at `at` ends; the text's end when it was cut."""
    if (string := _STRING.match(text, at)) is not None:
        return string.end()
    if at < len(text) and text[at] in _OPEN:
        depth = 0
        for found in _NESTED.finditer(text, at):
            if found["bracket"]:
                depth += 1 if found["bracket"] in _OPEN else -1
                if depth == 0:
                    return found.end()
        return len(text)
    bare = _BARE.match(text, at)
    end = bare.end() if bare else at
    # An object's representation, <Card 4242 of A>, ends with its bracket.
    if text[at:end].startswith("<"):
        closing = text.find(">", at)
        return len(text) if closing < 0 else closing + 1
    # Decimal('1') and the like: a call goes on to its closing bracket.
    return _value_end(text, end) if text[end : end + 1] == "(" else end
