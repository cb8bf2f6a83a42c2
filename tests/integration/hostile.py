"""Messages that nobody should send: what each of them is, and what a recorder must make of it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MIB = 2**20


@dataclass(frozen=True)
class Sent:
    """One message as it goes to the broker."""

    body: bytes
    compression: str | None = None
    content_type: str = "application/json"
    encoding: str = "utf-8"
    good: str = ""  # id of the task whose event it holds, where it holds a sound one


def good(task_id: str, now: float) -> Sent:
    """An event as Celery sends it."""
    event = {
        "type": "task-sent",
        "uuid": task_id,
        "timestamp": now,
        "hostname": "gen1@here",
        "name": "some.task",
    }
    return Sent(json.dumps(event).encode(), good=task_id)


def nested(levels: int, kind: str = "{}") -> str:
    """That many containers, one in the other."""
    return f'{{"a":{"[" if kind == "[]" else ""}' * levels + "1" + f"{']' if kind == '[]' else ''}}}" * levels


def large(now: float) -> Iterator[Sent]:
    """The few that are large, deep or packed tight."""
    base = f'"uuid": "x", "hostname": "h", "timestamp": {now}'
    yield Sent(f'{{"type": "x", "timestamp": "bad", "deep": {nested(600)}}}'.encode())
    yield Sent(f'{{"type": "task-sent", {base}, "deep": {nested(600)}}}'.encode())
    yield Sent(f'{{"type": "x", "deep": {nested(100_000)}}}'.encode())
    yield Sent(f'{{"type": "x", "deep": {nested(20_000, "[]")}}}'.encode())
    yield Sent(("[" * 100_000).encode())
    key = "_".join(["word"] * 4_000)
    yield Sent(f'{{"type": "task-sent", {base}, "{key}": "secret", "password": "b"}}'.encode())
    yield Sent(f'{{"type": "x", {base}, "kwargs": "{{\'{key}\': 1, \'password\': 2}}"}}'.encode())
    yield Sent(json.dumps({"type": "x", "timestamp": now, **{f"k{n}": n for n in range(50_000)}}).encode())
    yield Sent(json.dumps({"type": "worker-x", "timestamp": now, "text": "y" * 5 * MIB}).encode())
    yield Sent(b'{"type": "x", "text": "' + b"z" * 9 * MIB + b'"}')
    yield Sent(json.dumps([{"type": "x"}] * 100_000).encode())
    yield Sent(json.dumps({"type": "x", "timestamp": now, "hostname": "=" * 500_000}).encode())
    yield Sent(json.dumps({"type": "task-sent", "uuid": "u" * MIB, "timestamp": now}).encode())
    yield Sent(("1" * 200_000).encode())
    bomb = b'{"type": "x", "text": "' + b"0" * 100 * MIB + b'"}'
    yield Sent(zlib.compress(bomb, 9), "application/x-gzip")
    yield Sent(bz2.compress(bomb[: 40 * MIB]), "application/x-bz2")
    yield Sent(lzma.compress(bomb[: 40 * MIB], preset=0), "application/x-lzma")


def small(chance: random.Random, now: float) -> Sent:
    """One of the many: wrong types, odd numbers, broken texts, wrong compression."""
    event: dict[str, Any] = {"type": "worker-odd", "uuid": "odd", "timestamp": now, "hostname": "h"}
    field = chance.choice(
        ["type", "timestamp", "clock", "pid", "runtime", "eta", "args", "utcoffset", "stranger"]
    )
    event[field] = chance.choice(
        [None, True, -1, 10**400, -(10**30), 1e308, "", "x" * 600, [], {}, [[]], {"": {"": []}}, "\x00", "\ud800",
         "0001-01-01T00:00:00", "9999-12-31T23:59:59", -62135596800, 253402300799, "NaN", "⁦‮"]
    )  # fmt: skip
    text = json.dumps(event)
    if "type" in event and chance.random() < 0.2:
        text = text.replace("null", chance.choice(["NaN", "Infinity", "-Infinity", "1e999", "0x1"]))
    body = text.encode()
    match chance.randrange(12):
        case 0:
            return Sent(body[: chance.randrange(len(body))])  # cut off
        case 1:
            return Sent(bytes(chance.randrange(256) for _ in range(chance.randrange(40))))
        case 2:
            return Sent(body.replace(b"odd", b"\xff\xfe\xc3"))  # not UTF-8
        case 3:
            return Sent(body, "application/x-gzip")  # not compressed
        case 4:
            return Sent(gzip.compress(body)[:-8], "application/x-gzip")
        case 5:
            return Sent(body, "application/x-nothing")
        case 6:
            return Sent(
                body, content_type=chance.choice(["application/x-python-serialize", "text/plain", "a/b"])
            )
        case 7:
            return Sent(body, encoding=chance.choice(["utf-16", "base64", "no-such", "rot13"]))
        case 8:
            return Sent(json.dumps(chance.choice([1, "text", None, [], [1], ["x"], [[]], True])).encode())
        case 9:
            return Sent(b'{"type": "a", "type": "b", "timestamp": 1, "timestamp": 2}')
        case 10:
            return Sent(json.dumps([event, "text", None, {**event, "timestamp": "never"}]).encode())
    return Sent(body)


def mixed(count: int, hostile_in: int, now: float, seed: int = 20) -> Iterator[Sent]:
    """So many good events, and after every so many a hostile message, all of the large ones among them."""
    chance, big = random.Random(seed), large(now)
    for number in range(count):
        yield good(f"good-{number:05d}", now)
        if number % hostile_in == 0:
            yield small(chance, now)
        if number % (count // 20) == 7:
            yield next(big, small(chance, now))
