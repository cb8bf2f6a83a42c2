"""Where a value ends in a text that may be cut, and whose quotes may be escaped any number of times.

Each function takes a text and a place in it, and gives a later place, at most the text's end; its time is
linear in what lies between. Where the end is not certain, it is the later one.
"""

from __future__ import annotations

import re

_SPACE = re.compile(r"\s*")
_BLANK = re.compile(r"[ \t]*")
_INDENT = re.compile(r"[ \t\-]*")
_QUOTED = re.compile(r"[bBrRuUfF]{0,2}(?P<quote>'''|\"\"\"|\\*['\"])")
_MARKS = re.compile(r"(?P<slashes>(?<!\\)\\*)(?P<quote>['\"])|[()\[\]{}]")
_CLOSING = re.compile(r"\s*(?:[)\]},:;>]|\\*['\"]|\.{3}|…|\Z)")
# A quote that ends what a value stands in: what follows it is punctuation, or nothing.
_ENCLOSING = r"(?<!\\)\\*['\"](?=\s*(?:[)\]},:;]|\Z))"
_WORD_STOP = re.compile(
    rf"[\s&;]|,(?=\s|\Z|[\w.\-]{{1,80}}\s*[=:]|\\*['\"])|[(\[{{]|[)\]}}](?=[\s,;)\]}}'\"\\]|\Z)|{_ENCLOSING}"
)
_LINE_STOP = re.compile(
    rf"""(?P<newline>[\r\n]+|(?<!\\)(?:\\+[rn])+)|{_ENCLOSING}
    |(?P<opening>(?<=\w)[(\[])
    |,(?=\s*(?:[\w.\-]{{1,80}}\s*[=:](?!//)|\\*['"]))|[)\]}}](?=\s*(?:[,;)\]}}'"]|\Z))""",
    re.VERBOSE,
)
_ELEMENT_STOP = re.compile(rf"[,)\]}}]|[(\[{{]|{_ENCLOSING}")
_NEXT_LINE = re.compile(r"(?P<indent>[ \t]*)(?P<first>-(?=[ \t])|[^\s\\])?")
# What a line begins with that does not go on with the value before it, in a text that writes \n for its end.
_NEW_FIELD = re.compile(r"[\w.\-\"' ]{1,80}:(?:\s|\\|\Z)|-[ \t]|\#|\.{3}|---|\\*['\"]|[)\]}]|\Z")
# Schemes of authorization whose parts are parted by commas.
_SCHEME = re.compile(r"(?:digest|oauth|hawk|aws4-hmac-sha256)\b", re.IGNORECASE)
_LINE_END = re.compile(r"(?P<newline>[\r\n]+|(?<!\\)(?:\\+[rn])+)")
_COLUMN = 200  # a name further from its line's start than this does not begin a block


def after_space(text: str, at: int) -> int:
    """Behind white space."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def after_blank(text: str, at: int) -> int:
    """Behind white space of the same line."""
    found = _BLANK.match(text, at)
    return found.end() if found else at


def backslashes(text: str, at: int) -> int:
    """How many backslashes stand before this place."""
    first = at
    while first and text[first - 1] == "\\":
        first -= 1
    return at - first


def quoted(text: str, at: int) -> str | None:
    """The quote with its backslashes that opens a string here; None where none does."""
    found = _QUOTED.match(text, at)
    return found["quote"] if found else None


def closes(text: str, at: int) -> bool:
    """Whether what holds a value ends here, or the text does."""
    found = _CLOSING.match(text, at)
    return found is not None


def column(text: str, at: int) -> int:
    """How far this place is from the start of its line, or of the string in which it stands."""
    least = max(at - _COLUMN, 0)
    starts = (("\n", 1), ("\\n", 2), ("'", 1), ('"', 1))
    found = [(text.rfind(start, least, at), length) for start, length in starts]
    return at - max((place + length for place, length in found if place >= 0), default=least)


def indentation(text: str, at: int) -> int:
    """How far the first word of the line of this place is from the line's start; signs of a list do not count."""
    start = at - column(text, at)
    found = _INDENT.match(text, start, at)
    return found.end() - start if found else 0


def value(text: str, at: int) -> int:
    """The end of the value that begins here: a string, a container, an object's representation, a word."""
    found = _QUOTED.match(text, at)
    if found is not None:
        return _string(text, found.end(), found["quote"])
    if text[at : at + 1] == "<":
        return _angle(text, at)
    return word(text, at)


def word(text: str, at: int) -> int:
    """The end of a value without quotes: at white space or what parts it from the next, brackets kept whole."""
    return _bare(text, at, _WORD_STOP)


def element(text: str, at: int) -> int:
    """The end of an element of a list, a tuple or a call."""
    if _QUOTED.match(text, at) is not None or text[at : at + 1] == "<":
        return value(text, at)
    return _bare(text, at, _ELEMENT_STOP)


def line(text: str, at: int, name: int) -> int:
    """The end of a value without quotes that goes on to the end of its line.

    What stands further to the right than its name on the lines below belongs to it. When nothing stands beside
    the name, what is further to the right than the line does, as do the entries of a list: a block may be
    quoted behind other words, ``ValueError: tokens:``.
    """
    right = column(text, name)
    stops = _LINE_END if _SCHEME.match(text, at) else _LINE_STOP
    place = _nested(text, at) if text[at : at + 1] in ("(", "[", "{") else at
    listed = None  # whether nothing but the sign of a block stands beside the name
    while (stop := stops.search(text, place)) is not None:
        if stop.groupdict().get("opening"):  # of a call or an item
            place = _nested(text, stop.start(), _line_end(text, stop.start()))
            continue
        if stop["newline"] is None:
            return stop.start()
        if listed is None:
            listed = not text[at : stop.start()].strip("|>+-0123456789 \t")
            right = min(right, indentation(text, name)) if listed else right
        following = _NEXT_LINE.match(text, stop.end())
        if following is None or following.end() == len(text):
            return stop.start()
        further = len(following["indent"]) > right
        item = listed and following["first"] == "-" and len(following["indent"]) >= right
        blank = following["first"] is None
        escaped = stop["newline"][0] == "\\"
        goes_on = escaped and _NEW_FIELD.match(text, following.end("indent")) is None
        if not (further or item or blank or goes_on):
            return stop.start()
        place = max(following.end(), stop.end())
    return len(text)


def _bare(text: str, at: int, stops: re.Pattern[str]) -> int:
    place = at
    while (stop := stops.search(text, place)) is not None:
        if stop[0] not in ("(", "[", "{"):
            return stop.start()
        place = _nested(text, stop.start())
    return len(text)


def _line_end(text: str, at: int) -> int:
    found = _LINE_END.search(text, at)
    return found.start() if found else len(text)


def _nested(text: str, at: int, end: int | None = None) -> int:
    """Behind the bracket that closes the one which opens here, at `end` at most."""
    end = len(text) if end is None else end
    depth, place = 0, at
    while (mark := _MARKS.search(text, place, end)) is not None:
        place = mark.end()
        if mark["quote"]:
            place = min(_string(text, place, mark[0]), end)
        elif mark[0] in "([{":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return place
    return end


def _string(text: str, at: int, quote: str) -> int:
    """Behind the string whose first letter stands here and which `quote` opened."""
    if len(quote) == 3 and quote[0] == quote[-1]:  # three quotes
        end = text.find(quote, at)
        return len(text) if end < 0 else end + len(quote)
    doubled = -1  # where the second of two quotes stands, which are one in YAML, SQL and CSV
    for found in _CLOSERS[quote[-1]].finditer(text, at):
        if found.start() == doubled:
            continue
        # With more backslashes than the opening one it may belong to the string, in whatever the text was put.
        if len(found[0]) == len(quote):
            if text.startswith(quote, found.end()):
                doubled = found.end()
                continue
            return found.end()
        if len(found[0]) < len(quote):  # what holds this string ends, so this one was cut
            return found.start()
    return len(text)


_CLOSERS = {quote: re.compile(rf"(?<!\\)\\*{quote}") for quote in "'\""}


def _angle(text: str, at: int) -> int:
    """Behind an object's representation, ``<Card 4242 of <User ann>>``."""
    depth = 0
    for found in _ANGLE.finditer(text, at):
        depth += 1 if found[0] == "<" else -1
        if depth == 0:
            return found.end()
    return len(text)


_ANGLE = re.compile("[<>]")
