"""A mail server that takes everything and keeps nothing, so that its own work does not count."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

REPLIES = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


class _Session(socketserver.StreamRequestHandler):
    """One connection: every command is answered with yes, every message is read and dropped."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        for line in self.rfile:
            word = line[:4].upper().strip()
            self.wfile.write(REPLIES.get(word, b"250 SMTPUTF8\r\n"))
            if word == b"QUIT":
                return
            if word == b"DATA":
                for text in self.rfile:
                    if text == b".\r\n":
                        break
                self.wfile.write(b"250 taken\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Sink:
    """What stands in for an inbox."""

    def clear(self) -> None:
        """Nothing is kept."""


@contextmanager
def serving() -> Iterator[int]:
    """The port that it listens on."""
    with _Server(("127.0.0.1", 0), _Session) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
