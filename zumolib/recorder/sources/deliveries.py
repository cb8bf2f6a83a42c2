"""Messages of one AMQP consumer, read off the socket many at a time.

py-amqp reads a frame with three system calls, and a message is three frames, each of which goes through
a dozen Python functions: 60 microseconds a message. Here a whole buffer is read at once, and a plain
delivery costs three headers to unpack. Whatever is not a plain delivery (heartbeats, a closing channel, a
cancelled consumer, answers to other methods, content in another encoding) is given to py-amqp or kombu.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from zumolib.recorder import intake
from zumolib.recorder.columns import Message
from zumolib.recorder.sources.clock import Clock

CHUNK = 1 << 20  # bytes read at once, at most

_FRAME = Struct(">BHI")  # type, channel, size; the payload and one closing byte follow
_LONG = Struct(">Q")
_METHOD, _HEADER, _BODY = 1, 2, 3
_DELIVER = b"\x00\x3c\x00\x3c"  # class 60 (basic), method 60 (deliver)
_TYPE_AND_ENCODING = 0xC0  # flags of the first two properties
_PLAIN = b"\x10application/json\x05utf-8"  # these two
_ODD, _INCOMPLETE = 0, -1


class Deliveries:
    """The consumer and its half-read buffer; for one thread, as its connection is.

    Parameters
    ----------
    connection
        py-amqp's, connected.
    channel
        Its only channel in use.
    queue
        What to consume; every message is to be acknowledged.
    clock
        Tells when messages came.
    """

    def __init__(self, connection: Any, channel: Any, queue: str, clock: Clock) -> None:
        self._clock = clock
        self.tag = 0  # of the last message taken: acknowledging it includes all before
        self._connection = connection
        self._transport = connection.transport
        self._channel = channel.channel_id
        self._found: list[Message] = []
        # py-amqp waits for answers to its own methods by `read_frame`, so it must see the same buffer.
        self._data = bytes(self._transport._read_buffer)
        self._at = 0  # where the first frame begins that nobody has taken
        self._transport._read_buffer = b""
        self._transport.read_frame = self._read_frame
        channel.basic_consume(queue, no_ack=False, callback=self._on_message)

    def take(self, timeout: float) -> list[Message]:
        """All messages that are here, or come first within `timeout` seconds."""
        if not self._found:
            try:
                with self._transport.having_timeout(timeout):
                    self._receive()
            except TimeoutError:
                return []
            self._scan()
        found, self._found = self._found, []
        return found

    def _receive(self) -> None:
        chunk = self._transport.sock.recv(CHUNK)
        if not chunk:
            raise OSError("the server closed the connection")
        self._connection.bytes_recv += 1  # py-amqp's heartbeat looks whether it grows
        self._data = self._data[self._at :] + chunk
        self._at = 0

    def _scan(self) -> None:
        """Take all that is complete in the buffer."""
        now = self._clock.now()
        last = None  # where the last plain delivery begins
        while True:
            body, after = self._plain(self._at)
            if body is not None:
                self._found.append(Message(body, now))
                last, self._at = self._at, after
                continue
            if last is not None:
                # Class, method and the length of the consumer's tag lie between.
                (self.tag,) = _LONG.unpack_from(self._data, last + 12 + self._data[last + 11])
                last = None
            if after == _INCOMPLETE:
                return
            frame = self._next_frame()
            if frame is None:
                return
            self._connection.on_inbound_frame(frame)

    def _plain(self, at: int) -> tuple[bytes | None, int]:
        """Body of the plain delivery that begins here, and where the next frame does."""
        data = self._data
        end = len(data)
        if end - at < 11:
            return None, _INCOMPLETE if end == at else _ODD
        kind, channel, size = _FRAME.unpack_from(data, at)
        if kind != _METHOD or channel != self._channel or not data.startswith(_DELIVER, at + 7):
            return None, _ODD
        header = at + 8 + size
        if end - header < 7:
            return None, _INCOMPLETE
        kind, channel, size = _FRAME.unpack_from(data, header)
        if kind != _HEADER or channel != self._channel:
            return None, _ODD
        body = header + 8 + size
        if end < body:
            return None, _INCOMPLETE
        (length,) = _LONG.unpack_from(data, header + 11)
        if (
            not length
            or not data.startswith(_PLAIN, header + 21)
            or data[header + 19] & _TYPE_AND_ENCODING != _TYPE_AND_ENCODING
            or data.find(b"compression", header + 44, body) >= 0
        ):
            return None, _ODD
        if end - body < 7:
            return None, _INCOMPLETE
        kind, channel, size = _FRAME.unpack_from(data, body)
        if kind != _BODY or channel != self._channel or size != length:
            return None, _ODD
        after = body + 8 + size
        if end < after:
            return None, _INCOMPLETE
        return data[body + 7 : after - 1], after

    def _next_frame(self) -> tuple[int, int, bytes] | None:
        """The next frame, if it is complete."""
        data, at = self._data, self._at
        if len(data) - at < 8:
            return None
        kind, channel, size = _FRAME.unpack_from(data, at)
        after = at + 8 + size
        if len(data) < after:
            return None
        self._at = after
        return kind, channel, data[at + 7 : after - 1]

    def _read_frame(self) -> tuple[int, int, bytes]:
        """What py-amqp calls; its own time limit is set on the socket."""
        while (frame := self._next_frame()) is None:
            self._receive()
        return frame

    def _on_message(self, message: Any) -> None:
        """What py-amqp has put together: content that is not plain, or came while it waited."""
        self.tag = message.delivery_tag
        body = (
            message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "replace")
        )
        self._found.append(Message(body, self._clock.now(), lambda: _decode(message)))


def _decode(message: Any) -> Any:
    properties = message.properties
    compression = (properties.get("application_headers") or {}).get("compression")
    return intake.decode(
        message.body, properties.get("content_type"), properties.get("content_encoding"), compression
    )
