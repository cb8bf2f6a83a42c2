"""A consumer of a group on the stream that our dispatcher writes, on Redis and Valkey."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from zumolib.history import Source as Kind
from zumolib.recorder import dispatcher
from zumolib.recorder.columns import Message

logger = logging.getLogger(__name__)

GROUP = "zumo"

# Messages in flight: enough to fill a flush at full speed, few enough for the memory of both sides.
PREFETCH = 10_000
PREFETCH_BYTES = 32_000_000

# Of one answer: the server does nothing else while it makes one. At most so many messages, and so many
# that they come to about so many bytes, if they are as large as the last ones.
READ = 2_000
READ_BYTES = 4_000_000

# Longer than a recorder waits between two flushes, whatever its disk does.
CLAIM_IDLE_MS = 60_000
CLAIM_EVERY = 30.0  # seconds
TRIM_EVERY = 60.0  # seconds


class Stream:
    """The stream of one server, read under one name."""

    kind: Kind = "stream"

    def __init__(self, connection: Any, name: str) -> None:
        self.lost = 0
        self.capped = False  # what was trimmed is counted
        self._connection = connection
        self._consumer = name
        channel = connection.default_channel
        self._key = dispatcher.stream_key(channel)
        self._client = channel._create_client()
        self._taken: list[bytes] = []
        self._bytes = 0
        self._count = READ
        # What this name had taken and not settled when it last died comes first.
        self._own_since: bytes | None = b"0"
        self._claim_at = self._trim_at = 0.0
        self._make_group()

    def take(self, timeout: float) -> list[Message]:
        """Items of the stream; first those that a dead recorder of any name left behind."""
        if self.full():
            time.sleep(timeout)
            return []
        if self._own_since is not None:
            found = self._read(self._own_since, None)
            self._own_since = _bytes(found[-1][0]) if found else None
            if found:
                return self._messages(found)
        if time.monotonic() >= self._claim_at:
            self._claim_at = time.monotonic() + CLAIM_EVERY
            claimed = self._command(
                "XAUTOCLAIM", self._key, GROUP, self._consumer, CLAIM_IDLE_MS, "0", "COUNT", self._count
            )[1]
            own = set(self._taken)
            claimed = [item for item in claimed if _bytes(item[0]) not in own]
            if claimed:
                return self._messages(claimed)
        return self._messages(self._read(b">", max(1, int(timeout * 1000))))

    def full(self) -> bool:
        """Whether as many are in flight as may be."""
        return len(self._taken) >= PREFETCH or self._bytes >= PREFETCH_BYTES

    def settle(self) -> None:
        """Acknowledge what was taken, and now and then trim what all have read."""
        if self._taken:
            self._command("XACK", self._key, GROUP, *self._taken)
            self._taken = []
            self._bytes = 0
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + TRIM_EVERY
            self._trim()

    def waiting(self) -> int | None:
        """Items that the group has not read."""
        for group in self._groups():
            if group["name"] == GROUP:
                lag = group.get("lag")
                return None if lag is None else int(lag)
        return None

    def close(self) -> None:
        """Drop both connections."""
        self._client.close()
        self._connection.release()

    def _make_group(self) -> None:
        try:
            # From the start: what was sent before the first recorder came is history as well.
            self._command("XGROUP", "CREATE", self._key, GROUP, "0", "MKSTREAM")
        except Exception as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _command(self, *words: Any) -> Any:
        # Raw replies: the client's parsing of these commands differs between its versions, and kombu's
        # prefixing client does not know them.
        self._client.response_callbacks.pop(words[0], None)
        return self._client.execute_command(*words)

    def _read(self, since: bytes, block_ms: int | None) -> list[Any]:
        block = () if block_ms is None else ("BLOCK", block_ms)
        words = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", self._count)
        try:
            reply = self._command(*words, *block, "STREAMS", self._key, since)
        except Exception as error:
            if "NOGROUP" not in str(error):
                raise
            logger.warning("The stream %s was deleted; made anew", self._key)
            self._make_group()
            return []
        if not reply:
            return []
        streams = reply.values() if isinstance(reply, dict) else (pair[1] for pair in reply)
        return [item for items in streams for item in items]

    def _messages(self, items: Iterable[Any]) -> list[Message]:
        found = []
        for item_id, fields in items:
            item_id = _bytes(item_id)
            self._taken.append(item_id)
            if fields is None:  # trimmed away while it was pending: nothing is left to read
                self.lost += 1
                continue
            raw = fields[1] if len(fields) == 2 and fields[0] == dispatcher.FIELD else _other(fields)
            found.append(Message(raw, int(item_id.partition(b"-")[0]) / 1000))
        if found:
            size = sum(len(message.body) for message in found)
            self._bytes += size
            self._count = max(10, min(READ, READ_BYTES * len(found) // max(size, 1)))
        return found

    def _groups(self) -> list[dict[str, Any]]:
        groups = []
        for reply in self._command("XINFO", "GROUPS", self._key):
            pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
            groups.append({_text(key): _text(value) for key, value in pairs})
        return groups

    def _trim(self) -> None:
        """Give back the memory of what every group has read and settled."""
        oldest = []
        for group in self._groups():
            pending = self._command("XPENDING", self._key, group["name"])
            first = pending[1] if pending and pending[0] else group["last-delivered-id"]
            oldest.append(_bytes(first))
        if oldest:
            least = min(oldest, key=lambda item_id: tuple(int(part) for part in item_id.split(b"-")))
            self._command("XTRIM", self._key, "MINID", "~", least)


def _other(fields: Any) -> bytes:
    """What somebody else wrote into the stream: its field of ours, or all of it to be refused as no JSON."""
    values = dict(zip(fields[::2], fields[1::2], strict=False)) if isinstance(fields, list) else dict(fields)
    raw = values.get(dispatcher.FIELD, values.get(dispatcher.FIELD.decode()))
    return repr(values).encode() if raw is None else _bytes(raw)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
