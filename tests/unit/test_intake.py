"""What is taken in has a bound in every direction, and what is beyond it says so."""

from __future__ import annotations

import bz2
import lzma
import time
import zlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.integration import hostile
from zumolib.recorder import intake
from zumolib.recorder.buffer import Held
from zumolib.recorder.columns import Message, find
from zumolib.recorder.intake import TooMuch


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = {"a": [found]}
    return found


#   event                                              what is said of it; empty: it is taken in
EVENTS: list[tuple[Any, str]] = [
    ({"type": "x", "a": [{"b": {"c": 1}}]}, ""),
    (deep(intake.DEPTH // 2 - 1), ""),
    (deep(intake.DEPTH), "more than 32 levels"),
    (deep(100_000), "more than 32 levels"),
    ({str(n): n for n in range(intake.PARTS)}, ""),
    ({str(n): n for n in range(intake.PARTS + 1)}, "more than 5,000 parts"),
    ({"a": [[]] * 100_000}, "more than 5,000 parts"),
    ({"a": "x" * intake.LETTERS}, "more than 2,000,000 letters"),
    ({"_".join(["word"] * 4_000): 1}, "a key of 19,999 letters; at most 500"),
    (1, ""),
    (None, ""),
]


@pytest.mark.parametrize(("event", "said"), EVENTS, ids=range(len(EVENTS)))
def test_an_event_has_bounds(event: Any, said: str) -> None:
    if not said:
        intake.check_event(event)
        return
    with pytest.raises(TooMuch, match=said):
        intake.check_event(event)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "application/x-gzip": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("name", PACK)
def test_compressed_content_comes_back_and_a_bomb_does_not(name: str) -> None:
    assert intake.unpack(PACK[name](b"content"), name) == b"content"
    with pytest.raises(TooMuch, match="unpacks to more than 16,000,000"):
        intake.unpack(PACK[name](bytes(intake.UNPACKED_BYTES + 1)), name)
    with pytest.raises((ValueError, OSError, EOFError, zlib.error)):
        intake.unpack(PACK[name](b"content" * 100)[:-10], name)


def test_a_decoder_that_wants_too_much_memory_does_not_get_it() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 512 * 2**20}]
    with pytest.raises(TooMuch, match="needs more than"):
        intake.unpack(lzma.compress(b"x" * 1_000, filters=filters), "xz")


def test_an_unknown_compression_is_named() -> None:
    with pytest.raises(ValueError, match="unknown compression 'rar'"):
        intake.unpack(b"", "rar")


@pytest.mark.parametrize("raw", [b"\xff" * 50_000, "x" * 50_000, deep(50_000), {1: 2}, object(), 10**400])
def test_what_is_refused_is_kept_as_a_short_text(raw: Any) -> None:
    assert 0 < len(intake.excerpt(raw)) <= intake.EXCERPT


def test_hostile_messages_cost_their_own_place_only() -> None:
    now = time.time()
    messages, wanted = [], []
    for sent in hostile.mixed(400, 1, now):
        decode = None
        if sent.compression or sent.content_type != "application/json" or sent.encoding != "utf-8":
            decode = lambda sent=sent: intake.decode(  # noqa: E731
                sent.body, sent.content_type, sent.encoding, sent.compression
            )
        messages.append(Message(sent.body, now, decode))
        wanted += [sent.good] if sent.good else []
    held = Held(("password", "token"))
    refused = held.add(messages) + held.convert()
    table = held.table()
    assert table is not None
    assert set(wanted) <= set(table["task_id"].to_pylist())
    assert all(isinstance(raw, str) and reason for raw, reason in refused)


def test_what_breaks_the_conversion_is_found_and_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that nobody thought of costs its own message and no other."""
    now = time.time()
    messages = [Message(hostile.good(f"good-{n}", now).body, now) for n in range(100)]
    messages.insert(57, Message(b'{"type": "poison"}', now))

    def breaking(found: list[Message]) -> Any:
        if any(b"poison" in message.body for message in found):
            raise MemoryError
        return find(found)

    monkeypatch.setattr("zumolib.recorder.columns.find", breaking)
    held = Held()
    refused = held.add(messages) + held.convert()
    assert held.rows == 100
    assert [reason for _, reason in refused] == ["not taken in: MemoryError"]


def test_orjson_reads_no_deeper_than_python_can_follow() -> None:
    """The fast decoder has a bound of its own; what it refuses goes the slow way and is refused there."""
    body = hostile.nested(100_000).encode()
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    found = find([Message(body, time.time())])
    assert found.table.num_rows == 0
    assert len(found.refused) == 1
