"""What stands under a masked name in a text: a representation, JSON, YAML, headers, a query, a command line.

The text may be cut anywhere, and may stand in another text, with its quotes escaped. One pass finds what
joins a name and its value (``:``, ``=``, ``=>``, ``,``), looks back for the name, and forward for the end of
the value (:mod:`zumolib.masking.extent`).
"""

from __future__ import annotations

import re
import string
from collections.abc import Container, Sequence

from zumolib.masking import extent
from zumolib.masking.beside import may_name, names_secret
from zumolib.masking.encoded import mask_encoded
from zumolib.masking.keys import KEYS, LIMIT, Names, names_of
from zumolib.masking.shapes import MASK, mask_shapes

# It begins with a set of letters, for which Python's search skips all others.
_JOINT = re.compile(
    r"""[:=,\-\ \tvV](?:(?<==)(?<=[\w.\-`'")\]\s]=)>?|(?<=[\w.\-`'"\s]:)|(?<=['"\s],)
    |(?<=-)(?<![\w\-]-)-?[\w\-]{1,80}(?=[ \t])
    |(?<=\w[ \t])[ \t]{0,2}(?=\\*['"]\w{4})  # PASSWORD 'x', invalid token 'x'
    |(?<=[vV])(?<!\w[vV])[aA][lL][uU][eE][sS](?=\s*\())""",
    re.VERBOSE,
)
_VERBS = ("pass", "passes")  # pass 'x' on
_NAME_LETTERS = f"{string.ascii_letters}{string.digits}_.-"
_QUOTES = "`'\"\\"
_SCHEME = re.compile(r"(?:bearer|basic|digest|token|negotiate|oauth|hawk|aws4-hmac-sha256)\b", re.IGNORECASE)
_OPENING = re.compile(r"\s*[(\[]\s*")
_BETWEEN = re.compile(r"[\s,]*")
# An address whose password is hidden already, as our own errors and settings show it, says where something is.
_HIDDEN_URL = re.compile(r"(?:\\*['\"])?[a-zA-Z][a-zA-Z0-9+.\-]{0,30}://[^\s'\"@]{0,200}\*{3}@")
_NEXT_ROW = re.compile(r"\s*,\s*(?=\()")


def mask_text(text: str, keys: Sequence[str] = KEYS) -> str:
    """A text with the values under masked names, and what is secret by its form, hidden.

    A value without its end is hidden to the end of the text. A name without quotes is a parameter
    (``password=``), a setting or a field (``password:``); its value may go on to the end of its line.
    What stands in positional arguments has no name; see :func:`mask_arguments`.
    """
    keys = tuple(keys)
    if not keys:
        return text
    names = names_of(keys)
    parts: list[str] = []
    done = 0
    for joint in _JOINT.finditer(text):
        if joint.start() < done:
            continue
        if (found := _value(text, joint, done, names)) is None:
            continue
        start, end, shown = found
        if _HIDDEN_URL.match(text, start):
            continue
        parts += (text[done:start], shown)
        done = end
    text = "".join((*parts, text[done:])) if parts else text
    return mask_shapes(mask_encoded(text, names))


def mask_arguments(text: str, hidden: Container[int], keys: Sequence[str] = KEYS) -> str:
    """Positional arguments, as the representation of a list or tuple, without those at hidden positions.

    Parameters
    ----------
    text
        As in Celery's events, perhaps cut. What is no list or tuple is hidden whole.
    hidden
        Positions, from 0; see :func:`~zumolib.masking.values.hidden_positions`.
    keys
        What else is hidden, as in :func:`mask_text`.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return MASK if text.strip() else text
    parts = [opening[0]]
    at, position = opening.end(), 0
    while at < len(text) and text[at] not in ")]":
        end = max(extent.element(text, at), at + 1)
        parts.append(f"'{MASK}'" if position in hidden and text[at] != "," else text[at:end])
        following = _BETWEEN.match(text, end)
        at = following.end() if following else end
        parts.append(text[end:at])
        position += 1
    return mask_text("".join((*parts, text[at:])), keys)


def _value(text: str, joint: re.Match[str], done: int, names: Names) -> tuple[int, int, str] | None:
    """Start and end of the value that belongs to a masked name before this joint, and what is shown for it."""
    sign = joint[0]
    if sign[0] == "-":  # a flag of a command line
        return _flag(text, joint, names)
    end = joint.start()
    while end > done and text[end - 1].isspace():
        end -= 1
    last = text[end - 1 : end]
    if last and last in "'\"":
        return _under_quoted(text, joint, end, done, names)
    if sign == ",":
        return None
    if last == ")" and sign[0] in "=vV":  # (column, column)=(value, value), as a database says it
        return _columns(text, joint, end, done, names)
    if sign[0] in "vV" or (sign == ":" and text.startswith("//", joint.end())):
        return None
    if last == "]" and sign[0] == "=":
        return _subscript(text, joint, end, done, names)
    if last == "`" and sign[0] != ":":
        end -= 1
    blank = sign[0] in " \t"
    name = _name(text, max(done, end - LIMIT - 1), end, words=2 if blank or sign == ":" else 1)
    if (
        name == end
        or text[max(name - 2, 0) : name] == "//"
        or (blank and text[name:end].lower().split()[-1] in _VERBS)
    ):
        return None
    word = text[name:end]
    if names[word] or (
        may_name(word) and names_secret(text, word, name, extent.after_blank(text, joint.end()), names)
    ):
        return _under_bare(text, joint, end, name)
    return None


def _columns(
    text: str, joint: re.Match[str], end: int, done: int, names: Names
) -> tuple[int, int, str] | None:
    """The values of columns of which one has a masked name; of all rows."""
    opening = text.rfind("(", max(done, end - LIMIT), end)
    if opening < 0 or not any(names[name] for name in text[opening + 1 : end - 1].split(",")):
        return None
    start = stop = extent.after_space(text, joint.end())
    while text[stop : stop + 1] == "(":
        stop = extent.value(text, stop)
        following = _NEXT_ROW.match(text, stop)
        stop = following.end() if following else stop
    return (start, stop, f"({MASK})") if stop > start else None


def _subscript(
    text: str, joint: re.Match[str], end: int, done: int, names: Names
) -> tuple[int, int, str] | None:
    """The value of an item: ``d['password'] = x``, ``user[password]=x``, ``passwords[0]=x``."""
    opening = text.rfind("[", max(done, end - LIMIT), end)
    if opening < 0:
        return None
    inner = text[opening + 1 : end - 1].strip(_QUOTES)
    if not inner or inner.isdigit():
        inner = text[_name(text, max(done, opening - LIMIT), opening, words=1) : opening]
    return _under_bare(text, joint, end, opening) if names[inner] else None


def _name(text: str, least: int, end: int, words: int) -> int:
    """Where a name without quotes begins, which ends here and has at most so many words."""
    start = at = end
    for _ in range(words):
        last = at
        at = least + len(text[least:at].rstrip(_NAME_LETTERS))
        while at > least and (text[at - 1].isalnum() or text[at - 1] in "_.-"):  # letters of other alphabets
            at -= 1
        broken = at and text[at - 1] == "\\" and text[at : at + 1] in ("n", "r", "t")  # a line's end, escaped
        at += bool(broken)
        if not text[at:last].strip("_.-"):  # none, or the sign of a list
            break
        if broken:
            return at
        start = at
        while at > least and text[at - 1] in " \t" and start - at < 3:
            at -= 1
    return start


def _under_quoted(
    text: str, joint: re.Match[str], end: int, done: int, names: Names
) -> tuple[int, int, str] | None:
    """The value of a name in quotes that ends at `end`: of a mapping, of a pair, or of a flag in a list."""
    quote = text[end - 1]
    first = end - 1
    while first > done and text[first - 1] == "\\":
        first -= 1
    depth = end - 1 - first  # backslashes: how often the text was put into another one
    least = max(done, first - LIMIT)
    start = text.rfind(quote, least, first)
    while start > least and extent.backslashes(text, start) > depth:
        start = text.rfind(quote, least, start)
    name = text[start + 1 : first] if start >= 0 else text[least:first]
    too_long = start < 0 and first - least >= LIMIT
    mark = text[first:end]
    if joint[0] == ",":
        if too_long or not names[name]:
            return None
        return _paired(text, joint, start - depth, name, mark)
    hides = too_long or names[name]
    if not (hides or may_name(name)):
        return None
    start = extent.after_space(text, joint.end())
    if not (hides or names_secret(text, name, first - len(name), start, names)):
        return None
    return start, extent.value(text, start), f"{mark}{MASK}{mark}"


def _paired(
    text: str, joint: re.Match[str], opening: int, name: str, mark: str
) -> tuple[int, int, str] | None:
    """The second of a pair ``("password", "x")``, or what follows a flag in a list."""
    start = extent.after_space(text, joint.end())
    before = text[max(opening - 40, 0) : max(opening, 0)].rstrip(" \t\r\nbBuUrR")
    is_pair = before[-1:] in ("(", "[") and extent.closes(text, extent.element(text, start))
    if not (is_pair or name.startswith("-")):
        return None
    own = extent.quoted(text, start) or mark
    end = extent.element(text, start)
    return (start, end, f"{own}{MASK}{own}") if end > start else None


def _under_bare(text: str, joint: re.Match[str], end: int, name: int) -> tuple[int, int, str]:
    """The value of a name without quotes."""
    spaced = joint[0] == ":" or joint.start() > end or text[joint.end() : joint.end() + 1] in (" ", "\t")
    start = extent.after_blank(text, joint.end())
    if (own := extent.quoted(text, start)) is not None and not extent.closes(text, start + len(own)):
        return start, extent.value(text, start), f"{own}{MASK}{own}"
    if not spaced and text[start : start + 1] == "<":
        return start, extent.value(text, start), MASK
    whole = spaced or _SCHEME.match(text, start) is not None
    stop = extent.line(text, start, name) if whole else extent.word(text, start)
    return start, stop, MASK if stop > start else ""


def _flag(text: str, joint: re.Match[str], names: Names) -> tuple[int, int, str] | None:
    if not names[joint[0]]:
        return None
    start = extent.after_blank(text, joint.end())
    own = extent.quoted(text, start)
    end = extent.value(text, start) if own else extent.word(text, start)
    if end <= start or text[start] in ":=-":
        return None
    return start, end, f"{own}{MASK}{own}" if own else MASK
