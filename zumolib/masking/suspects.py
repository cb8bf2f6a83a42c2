"""Which of many texts may hold something to hide, found by Arrow without reading each of them in Python.

Few texts name a masked key or have the form of a secret. One linear pass over all of them picks out those that
may, and some more; only they are read by :func:`zumolib.masking.text.mask_text`. A text that is passed over here
is one that it would leave as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zumolib.masking.keys import LIMIT, letters
from zumolib.masking.shapes import TRACES

LITTLE = 4_000
"""Bytes of texts, all together, that are sooner read than looked through: Arrow compiles its pattern for each pass,
in the time in which so many are read."""

_JOINTS = "[^A-Za-z0-9]*"  # between the letters of a name
_BEGINNING = r"^|[^A-Za-z]|\\[nrt]"  # before a word, unless it begins with a capital
_END = "[sS]?(?:[^a-z]|$)"  # after a word, or its plural
_KELVIN = "\N{KELVIN SIGN}"  # whose lower case is k
_SEPARATOR = re.compile("[,:=]")


def suspects(texts: Sequence[pa.Array], keys: tuple[str, ...]) -> list[pa.Array]:
    """Which elements may hold a masked name or the form of a secret.

    Parameters
    ----------
    texts
        Arrays of text, of any lengths.
    keys
        As :data:`zumolib.masking.KEYS`.

    Returns
    -------
    list of pyarrow.BooleanArray
        One for each of `texts`, of the same length; never null.
    """
    if sum(pc.sum(pc.binary_length(array)).as_py() or 0 for array in texts) <= LITTLE:
        return [pc.is_valid(array) for array in texts]
    # As bytes the pattern is smaller; letters that are not ASCII have no upper and lower case then.
    kind = pa.large_binary() if all(map(str.isascii, keys)) else pa.large_string()
    joined = pa.concat_arrays([array.cast(kind) for array in texts])
    found = pc.fill_null(pc.match_substring_regex(joined, _any_of(keys)), False)
    found = pc.or_(found, _long_names(joined, found))
    offsets = [0]
    for array in texts:
        offsets.append(offsets[-1] + len(array))
    return [found.slice(at, len(array)) for at, array in zip(offsets, texts, strict=False)]


def _long_names(texts: pa.Array, found: pa.Array) -> pa.Array:
    """Which of those that are not found yet may hold a name of more letters than are read."""
    long = pc.fill_null(pc.greater_equal(pc.binary_length(texts), LIMIT), False)
    long = pc.and_not(long, found)
    if not pc.any(long).as_py():
        return long
    values = texts.filter(long).cast(pa.large_string()).to_pylist()
    return pc.replace_with_mask(
        long,
        long,
        pa.array([max(map(len, _SEPARATOR.split(value))) >= LIMIT for value in values], pa.bool_()),
    )


@lru_cache(maxsize=8)
def _any_of(keys: tuple[str, ...]) -> str:
    """Matches every text in which a masked name or the form of a secret may be, and few others.

    Keys that begin with the same letters share that part, since the time to compile it counts.
    """
    inner = [key for key in keys if letters(key) and key.startswith("*")]
    words = [key for key in keys if letters(key) and not key.startswith("*")]
    parts = [_letter(first) + rest for first, rest in _branches(_tree(inner))]
    for first, rest in _branches(_tree(words)):
        capital = "".join(sorted({letter.upper() for letter in first} - set(first)))
        parts.append(f"(?:(?:{_BEGINNING}){_letter(first)}{f'|{_one_of(capital)}' if capital else ''}){rest}")
    return "|".join([*parts, f"(?i:{'|'.join(TRACES)})"])


Tree = dict[str, Any]
"""By a letter what may follow it; under the empty text, whether a key that ends here goes on with any letters."""


def _tree(keys: Sequence[str]) -> Tree:
    root: Tree = {}
    for key in keys:
        node = root
        for letter in letters(key):
            node = node.setdefault(letter, {})
        node[""] = key.endswith("*") or node.get("", False)
    return root


def _branches(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Letters, and what follows each of them."""
    by_rest: dict[str, str] = {}
    for letter, below in node.items():
        if letter:
            rest = _rest(below)
            by_rest[rest] = by_rest.get(rest, "") + letter
    for rest, found in by_rest.items():
        yield found, rest


def _rest(node: Mapping[str, Any]) -> str:
    if node.get(""):  # a key ends here, whatever follows
        return ""
    parts = [f"{_JOINTS}{_letter(found)}{rest}" for found, rest in _branches(node)]
    if "" in node:
        parts.append(_END)
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _letter(found: str) -> str:
    """One of these letters, in either case."""
    plain = "".join(
        sorted({case for letter in found if letter.isascii() for case in (letter, letter.upper())})
    )
    other = [f"(?i:{re.escape(letter)})" for letter in found if not letter.isascii()]
    parts = [*([_one_of(plain)] if plain else []), *other, *([_KELVIN] if "k" in found else [])]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _one_of(found: str) -> str:
    """One of letters or digits, which need no escape."""
    return f"[{found}]"
