"""A value that stands beside its name in the same record: ``name: password, value: …``, in either order.

Each look goes a bounded number of letters far.
"""

from __future__ import annotations

import re

from zumolib.masking import extent
from zumolib.masking.keys import Names

NAMES = ("name", "key", "field", "header", "loc")
"""Fields of a record that hold a name; ``loc`` is a validator's."""
VALUES = ("value", "val", "content", "input")
"""Fields of a record that hold the value of that name."""

_NEAR = 200  # letters between name and value
_LONGEST = 1_000  # letters of a value behind which a name is looked for
# It begins with a set of letters, for which Python's search skips all others.
_NAMED = re.compile(
    rf"""[{"".join(name[0] + name[0].upper() for name in NAMES)}](?<![\w.].)
    (?i:(?:{"|".join(f"(?<={name[0]}){name[1:]}" for name in NAMES)})\\*['"]?\s*[:=]\s*[bu]?(?P<open>[(\[]\s*)?
    (?P<quote>\\*['"])?(?P<name>[\w.\-\ ]{{1,80}}?)(?(quote)(?P=quote)|(?=[\s,;)\]}}>]|\\+[rn]|\Z))(?(open),?\s*[)\]]))""",
    re.VERBOSE,
)
_OTHER = re.compile(r"[{}()<>\[\]]|(?:\n|\\n)\s*-\s")  # here another record begins, or this one ends
# What a validator says of a field: its place on one line, then what it was given.
_GIVEN = "input_value"
_PLACE = re.compile(
    r"(?:\A|[\r\n]|\\{1,8}n)(?P<name>[\w.\-]{1,100})(?:\r?\n|\\{1,8}n) {2}(?:(?!\\n)[^\r\n]){0,400}\Z"
)


def may_name(field: str) -> bool:
    """Whether a field of this name may hold the value of a name that stands elsewhere in its record."""
    return field == _GIVEN or field.lower() in VALUES


def names_secret(text: str, field: str, name: int, value: int, names: Names) -> bool:
    """Whether the field whose name begins at `name`, and whose value at `value`, holds that of a masked name.

    It is one of which :func:`may_name` is true.
    """
    if field == _GIVEN:
        found = _PLACE.search(text, max(name - 600, 0), name)
        return found is not None and names[found["name"]]
    before = text[max(name - _NEAR, 0) : name]
    last = next(reversed(list(_NAMED.finditer(before))), None)
    if last is not None and _OTHER.search(before, last.end()) is None:
        return names[last["name"]]
    piece = text[value : value + _LONGEST]
    end = extent.value(piece, 0)
    if end == _LONGEST:
        return False
    after = text[value + end : value + end + _NEAR]
    found = _NAMED.search(after)
    return found is not None and _OTHER.search(after, 0, found.start()) is None and names[found["name"]]
