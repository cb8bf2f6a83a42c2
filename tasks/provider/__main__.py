"""``python -m tasks.provider``: run the stand-in until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from tasks.provider.server import Server
from tasks.provider.store import Store
from tasks.provider.tls import serve_over_tls


def main(arguments: list[str] | None = None) -> int:
    """Listen until told to end."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.provider", description="Stand-in payment provider."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="SQLite file that keeps what it knows")
    parser.add_argument("--tls-port", type=int, help="also listen here with TLS, by a certificate of its own")
    parser.add_argument("--verbose", action="store_true", help="log each request")
    given = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if given.verbose else logging.INFO, format="%(asctime)s %(message)s"
    )
    given.data.parent.mkdir(parents=True, exist_ok=True)
    store = Store(given.data)
    servers = []
    try:
        servers.append(Server(given.host, given.port, store))
        if given.tls_port is not None:
            certificate = given.data.with_suffix(".pem")
            servers.append(serve_over_tls(given.host, given.tls_port, store, certificate))
    except OSError as error:
        ports = " or ".join(str(port) for port in (given.port, given.tls_port) if port is not None)
        parser.exit(1, f"cannot listen on {given.host}:{ports} ({error.strerror}); choose another port\n")
    server, *others = servers
    for other in others:
        threading.Thread(target=other.serve_forever, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        # From another thread: shutdown() waits for the loop that this handler interrupts.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    logging.info("payment provider stand-in at http://%s:%s", given.host, server.server_address[1])
    server.serve_forever()
    for ended in servers:
        ended.server_close()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
