"""How much work one message or one event may make, whoever sent it.

What is larger, deeper or packed tighter than any event of Celery's is not taken in: it is refused with
:class:`TooMuch`, which says by how much, and whoever asked sets it aside. Everything here needs time and
memory in proportion to these limits and not to what a sender claims.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

import orjson
from kombu.serialization import loads

MESSAGE_BYTES = 8_000_000  # as it comes from the broker; a worker's largest batch is a few hundred kilobytes
UNPACKED_BYTES = 16_000_000  # after decompression
BATCH = 20_000  # events of one message
DEPTH = 32  # levels of one event
PARTS = 5_000  # values of one event, on all its levels
LETTERS = 2_000_000  # of its texts and keys together
KEY = 500  # letters of one key
EXCERPT = 10_000  # letters that are kept of what is refused
LZMA_MEMORY = 64_000_000  # bytes that a decoder may ask for


class TooMuch(Exception):
    """A message or an event that is more than is taken in; the text says in what way."""


def check_size(body: bytes) -> None:
    """Refuse a message that is too large to be looked into.

    Raises
    ------
    TooMuch
        It is.
    """
    if len(body) > MESSAGE_BYTES:
        raise TooMuch(f"a message of {len(body):,} bytes; at most {MESSAGE_BYTES:,} are read")


def check_event(event: Any) -> None:
    """Refuse an event that is too deep, has too many parts or too much text; no recursion is involved.

    Raises
    ------
    TooMuch
        It is.
    """
    parts = letters = 0
    level = [event]
    for _ in range(DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str | bytes):
                letters += len(value)
            elif isinstance(value, dict):
                parts += len(value)
                if parts <= PARTS:
                    letters += sum(_key(key) for key in value)
                    below += value.values()
            elif isinstance(value, list | tuple | set | frozenset):
                parts += len(value)
                if parts <= PARTS:
                    below += value
            if parts > PARTS:
                raise TooMuch(f"an event of more than {PARTS:,} parts")
            if letters > LETTERS:
                raise TooMuch(f"an event with more than {LETTERS:,} letters")
        if not below:
            return
        level = below
    raise TooMuch(f"an event of more than {DEPTH} levels")


def _key(key: Any) -> int:
    text = key if isinstance(key, str) else str(key)
    if len(text) > KEY:
        raise TooMuch(f"a key of {len(text):,} letters; at most {KEY} are read")
    return len(text)


def decode(body: Any, content_type: str | None, encoding: str | None, compression: str | None) -> Any:
    """A message's content, as kombu decodes it, but never more than :data:`UNPACKED_BYTES` of it.

    Raises
    ------
    TooMuch
        It is larger.
    Exception
        Whatever a decoder raises for what it cannot read.
    """
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    check_size(raw)
    return loads(unpack(raw, compression) if compression else raw, content_type, encoding)


def unpack(body: bytes, compression: str) -> bytes:
    """Decompress, and stop once it is too much.

    Raises
    ------
    TooMuch
        It is larger than :data:`UNPACKED_BYTES`, or its decoder asks for too much memory.
    ValueError
        It is not complete, or packed in a way that is not known.
    """
    make = _DECODERS.get(str(compression))
    if make is None:
        raise ValueError(f"unknown compression {str(compression)[:80]!r}")
    decoder = make()
    try:
        found: bytes = decoder.decompress(body, UNPACKED_BYTES + 1)
    except lzma.LZMAError as error:
        if "limit" in str(error).lower():
            raise TooMuch(f"its decoder needs more than {LZMA_MEMORY:,} bytes") from None
        raise
    if len(found) > UNPACKED_BYTES:
        raise TooMuch(f"a message of {len(body):,} bytes that unpacks to more than {UNPACKED_BYTES:,}")
    if not decoder.eof:
        raise ValueError("compressed content that is cut off")
    return found


_DECODERS: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("application/x-gzip", "gzip", "zlib"), zlib.decompressobj),
    **dict.fromkeys(("application/x-bz2", "bzip2", "bzip"), bz2.BZ2Decompressor),
    **dict.fromkeys(
        ("application/x-lzma", "lzma", "xz"), lambda: lzma.LZMADecompressor(memlimit=LZMA_MEMORY)
    ),
}


def excerpt(raw: Any) -> str:
    """The beginning of what is refused, as text, whatever it is."""
    if isinstance(raw, bytes | bytearray):
        return bytes(raw[:EXCERPT]).decode("utf-8", "replace")
    if isinstance(raw, str):
        return raw[:EXCERPT]
    try:
        check_event(raw)
        return orjson.dumps(raw, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()[:EXCERPT]
    except (TooMuch, TypeError, ValueError) as error:
        return f"{type(raw).__name__}, which is not kept ({str(error)[:200]})"
