"""Numbers as people say them: 1.2 s, 3 min 20 s, 12,345, 0.4 %."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import pandas as pd

from zumolib.figures.rounding import steady

# Control characters as the pictures that Unicode has of them; a line's end and a tab are harmless.
_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {127: 0x2421}
_CONTROLS |= dict.fromkeys((*range(128, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """A duration in seconds, to two or three digits: 12 ms, 1.2 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None or math.isnan(seconds):
        return "–"
    seconds = steady(seconds)
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 0.0005:
        return "0 s"
    if seconds < 0.9995:
        return f"{float(f'{seconds * 1000:.2g}'):.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    if whole >= 3_600:
        whole = round(seconds / 60) * 60
    if whole >= 86_400:
        whole = round(seconds / 3_600) * 3_600
    parts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        if whole >= size or parts:
            parts.append((whole // size, unit))
            whole %= size
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number)


def number(value: float) -> str:
    """A count with thousands separators."""
    return "–" if value is None or math.isnan(value) else f"{steady(value):,.0f}"


def decimal(value: float) -> str:
    """A number with one decimal: 1,234.5."""
    return "–" if value is None or math.isnan(value) else f"{steady(value):,.1f}"


def times(value: float) -> str:
    """How many times as much, to two digits: 1.5, 12, 340."""
    return f"{steady(value):.2g}" if steady(value) < 99.5 else number(value)


def counted(value: float, noun: str, plural: str = "") -> str:
    """A count with its noun: 1 message, 2 messages, no messages."""
    some = plural or f"{noun}s"
    return f"no {some}" if value == 0 else f"{number(value)} {noun if value == 1 else some}"


def share(value: float) -> str:
    """A share of 1 in percent, without rounding a failure away: 0.04 %, 3.1 %, 12 %, 99.5 %."""
    if value is None or math.isnan(value):
        return "–"
    percent = steady(value * 100)
    if percent > 90:  # as exact as what is missing
        percent = 100 - float(f"{100 - percent:.2g}")
        return f"{percent:g} %"
    return f"{percent:.0f} %" if percent >= 9.95 else f"{float(f'{percent:.2g}'):g} %"


def listed(names: Sequence[str]) -> str:
    """Names as a list in a sentence: a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def short(name: str, length: int = 44) -> str:
    """A task's name cut in front, where names are alike."""
    return name if len(name) <= length else f"…{name[-length + 1 :]}"


def shown(text: object, length: int = 300) -> str:
    """Text of a stranger, for people to see: cut, and without what a terminal would obey."""
    said = str(text)
    cut = said[:length].translate(_CONTROLS)
    return cut if len(said) <= length else f"{cut}… ({len(said) - length:,} more characters)"


def literal(text: object, length: int = 300) -> str:
    """The same for a figure, where some HTML and ``%{…}`` would mean something."""
    return escape(shown(text, length), quote=False).replace("%{", "%\u200b{")


def named(name: object, length: int = 44) -> str:
    """A name cut in front; what has none says so: a foreign producer may not tell the queue."""
    return "(unknown)" if name is None or name != name else shown(short(str(name), length))


def records(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows of a frame, its columns as attributes of whatever type they are."""
    yield from frame.itertuples()
