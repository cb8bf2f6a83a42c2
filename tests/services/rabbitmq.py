"""A RabbitMQ node of a test's own, from the system's package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kombu
import psutil

from tests.services.missing import missing
from tests.services.ports import free_port

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
START_SECONDS = 90


class RabbitMQ:
    """One node with its own name, port mapper, data and log folder.

    Parameters
    ----------
    management
        Also run the management API; `management_url` is its address.
    settings
        Lines of rabbitmq.conf.
    url
        User, password and virtual host of those settings, ``{}`` standing for host and port.
    """

    def __init__(
        self, *, management: bool = False, settings: str = "", url: str = "guest:guest@{}//"
    ) -> None:
        if not Path(SERVER).exists():
            missing(f"{SERVER} is missing: install the package rabbitmq-server")
        self.port = free_port()
        self.url = "amqp://" + url.format(f"127.0.0.1:{self.port}")
        self._folder = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        management_port = free_port()
        self.management_url = f"http://guest:guest@127.0.0.1:{management_port}" if management else ""
        (self._folder / "plugins").write_text("[rabbitmq_management].\n" if management else "[].\n")
        (self._folder / "rabbitmq.conf").write_text(
            f"{settings}\nlisteners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users = none\n"
            + (
                f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management_port}\n"
                if management
                else ""
            )
        )
        # Its own node name and port mapper: nothing of it meets the system's own RabbitMQ.
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [SERVER],
            env=self._environment,
            cwd=self._folder,
            stdout=(self._folder / "out").open("wb"),
            stderr=subprocess.STDOUT,
        )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                with kombu.Connection(self.url, connect_timeout=2) as connection:
                    connection.connect()
                    return
            except (OSError, *kombu.Connection(self.url).connection_errors):
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError((self._folder / "out").read_text()[-2000:]) from None
                time.sleep(0.2)

    @property
    def environment(self) -> dict[str, str]:
        """For RabbitMQ's own commands, which find this node by it."""
        return {**self._environment, "PATH": f"{Path(SERVER).parent}:{self._environment['PATH']}"}

    @property
    def pid(self) -> int | None:
        """Process id of the node itself, below the shell script that started it; None while it does not run."""
        if self._process is None:
            return None
        try:
            below = psutil.Process(self._process.pid).children()
            return next((child.pid for child in below if child.name() == "beam.smp"), None)
        except psutil.NoSuchProcess:
            return None

    def stop(self) -> None:
        """End the node as a restart of its machine would."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.stop()
        # The port mapper outlives its node.
        subprocess.run(["epmd", "-kill"], env=self._environment, capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def rabbitmq() -> Iterator[str]:
    """URL of a node that lives as long as the block."""
    server = RabbitMQ()
    try:
        server.start()
        yield server.url
    finally:
        server.remove()
