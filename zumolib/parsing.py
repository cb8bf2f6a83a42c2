"""Names as people type them: ``*`` and ``?`` stand for anything, and everything else for itself."""

from __future__ import annotations

import re
from functools import lru_cache


def fits(name: object, pattern: str) -> bool:
    """Whether a name is what was typed; a bracket is a bracket, as in ``job[1]`` or ``orders[eu]``."""
    return isinstance(name, str) and _compiled(pattern).fullmatch(name) is not None


def contains(name: object, typed: str) -> bool:
    """The same, where a text without a wildcard may stand anywhere in the name."""
    return fits(name, typed if "*" in typed or "?" in typed else f"*{typed}*")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)
