"""What stands under a masked name in a tag, in a part of a form, and in a query within a query."""

from __future__ import annotations

import re

from zumolib.masking.keys import Names
from zumolib.masking.shapes import MASK

_TAG = re.compile(
    r"""<(?P<name>[\w:.\-]{1,80})(?:\s[^<>]{0,200})?>
    (?:(?P<inner>\s*<!\[CDATA\[[^<\]]*(?:\]\]>\s*(?=</)|\]{0,2}>?['")}\s]{0,9}\Z)|[^<]+(?=</))
    |(?<=\w>)(?P<cut>[^<\s'"][^<]*<?['")\]}\s]{0,9}\Z))""",
    re.VERBOSE,
)
_BEFORE_TAG = re.compile(r"(?<![\w/])")
_LINE = r"(?:\r?\n|(?:\\{1,8}r)?\\{1,8}n)"
_PART = re.compile(
    rf"""\bname=(?P<quote>\\*")(?P<name>[^"\\\r\n]{{1,200}})(?P=quote)(?:(?!\\[rn])[^\r\n]){{0,200}}
    (?:{_LINE}(?:(?!\\[rn])[^\r\n]){{1,200}}){{0,4}}{_LINE}{_LINE}(?P<inner>(?:(?!{_LINE}--)[\s\S])*)""",
    re.VERBOSE,
)
# Percent signs may be encoded themselves, any number of times.
_NAME = re.compile(
    r"""(?:(?<=%[0-9a-fA-F]{2})|(?<![\w%]))(?P<name>[A-Za-z_][\w.\-]{0,80})
    (?:%(?:25)*5[dD]=|(?:%(?:25)*(?:5[dD]|22|27))?%(?:25)*3[aAdD])""",
    re.VERBOSE,
)
_VALUE = re.compile(r"""(?:(?!%(?:25)*26)[^\s&'"<>\\])+""")
# A text that was escaped for HTML.
_ENTITY = re.compile(
    r"""(?P<quote>&(?:quot|\#x27|\#39|\#34);)(?P<name>[\w.\-\ ]{1,80})(?P=quote)\s*[:,=]\s*
    (?P<inner>(?P=quote)(?:(?!(?P=quote))[\s\S])*|[^,&}\]\s]+)""",
    re.VERBOSE,
)


def mask_encoded(text: str, names: Names) -> str:
    """A text with those values hidden; its time is linear."""

    def hidden(found: re.Match[str]) -> str:
        name = found["name"].rpartition(":")[2]
        inner = found["inner"]
        if inner is None:  # cut, unless it is a part of a route or a group of a regular expression
            inner = found["cut"] if _BEFORE_TAG.match(found.string, found.start()) else ""
        return found[0].removesuffix(inner) + MASK if inner and names[name] else found[0]

    if "<" in text and ">" in text:
        text = _TAG.sub(hidden, text)
    if "name=" in text:
        text = _PART.sub(hidden, text)
    if "&#" in text or "&quot;" in text:
        text = _ENTITY.sub(hidden, text)
    return _mask_queries(text, names) if "%" in text else text


def _mask_queries(text: str, names: Names) -> str:
    parts: list[str] = []
    done = 0
    for found in _NAME.finditer(text):
        if found.start() < done or not names[found["name"]]:
            continue
        if (value := _VALUE.match(text, found.end())) is not None:
            parts += (text[done : found.end()], MASK)
            done = value.end()
    return "".join((*parts, text[done:]))
