"""Start, stop and ask the supervisord of one stack."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from zumolib import processes
from zumolib.errors import StackError
from zumolib.stack.plan import Plan, supervisor_socket

ANSWER_SECONDS = 15.0  # longer than a service may take to end, which one call waits for
RUNNING, SILENT, GONE = "running", "silent", "gone"  # it answers, does not answer in time, is not there
# The worker and the recorder end by writing to these.
NEEDED = frozenset({"valkey", "mail", "provider"})


class _Transport(SupervisorTransport):
    """supervisor's own, which would wait for ever for a supervisord that is stopped."""

    def __init__(self, username: str, password: str, address: str, limit: float) -> None:
        super().__init__(username, password, address)
        connect: Callable[[], Any] = vars(self)["_get_connection"]
        self._get_connection = lambda: _limited(connect(), limit)


def _limited(connection: Any, limit: float) -> Any:
    connect = connection.connect

    def connect_and_limit() -> None:
        connect()
        connection.sock.settimeout(limit)

    connection.connect = connect_and_limit
    return connection


@dataclass(frozen=True)
class Service:
    """What supervisor says of one service."""

    name: str
    state: str  # supervisor's word: RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL
    pid: int | None
    uptime: float | None  # seconds
    log: str
    problem: str  # why it does not run; empty while it does
    ended: float = 0.0  # when it last did, in seconds since 1970

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.state == "RUNNING"


class Supervisor:
    """Door to one supervisord, over its unix socket; it may take `limit` seconds to answer a call."""

    def __init__(self, home: Path, plan: Plan, *, limit: float = ANSWER_SECONDS) -> None:
        self.home = home
        self._password = plan.supervisor_password
        self._limit = limit

    @property
    def _rpc(self) -> Any:
        # A new one for each call: the transport does not get over a connection that failed.
        transport = _Transport("zumo", self._password, f"unix://{supervisor_socket(self.home)}", self._limit)
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def pid(self) -> int | None:
        """Process id of supervisord; None when none answers."""
        try:
            return int(self._rpc.getPID())
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None  # not there yet, or not any more

    def start(self, configuration: Path, environment: Mapping[str, str]) -> None:
        """Start supervisord and wait until it answers.

        Raises
        ------
        StackError
            Naming the log to read.
        """
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]
        done = subprocess.run(
            command, cwd=self.home, env=dict(environment), capture_output=True, text=True, timeout=30
        )
        if done.returncode == 0 and self._wait(lambda: self.pid() is not None, 10):
            return
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StackError(
            f"supervisord did not start: {said[0] if said else 'no message'}; "
            f"read {self.home / 'log' / 'supervisord.log'}"
        )

    def start_service(self, name: str) -> None:
        """Start one service; one that runs already is left alone."""
        try:
            self._rpc.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise StackError(
                    f"{name} did not start: {fault.faultString}; read {self._log(name)}"
                ) from None

    def stop_service(self, name: str) -> None:
        """End one service and wait until it has ended; one that does not run is left alone."""
        self._ask_to_stop(name, wait=True)

    def stop_services(self, names: Collection[str], *, patience: float = 30.0) -> bool:
        """End several services at once; whether all had ended after `patience` seconds."""
        for name in names:
            self._ask_to_stop(name)
        return self._wait(
            lambda: not any(service.pid for service in self.services() if service.name in names), patience
        )

    def state(self, name: str) -> str:
        """Supervisor's word for the state of one service.

        Raises
        ------
        StackError
            When there is no such service.
        """
        for service in self.services():
            if service.name == name:
                return service.state
        raise StackError(f"the embedded stack has no service {name!r}; `zumo status` lists them")

    def services(self) -> list[Service]:
        """All services with their state, in the order of the configuration."""
        return [
            Service(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"] or None,
                uptime=float(info["now"] - info["start"]) if info["statename"] == "RUNNING" else None,
                log=str(self.home / info["stdout_logfile"]),
                problem=info["spawnerr"],
                ended=float(info["stop"]),
            )
            for info in self._rpc.getAllProcessInfo()
        ]

    def look(self) -> tuple[str, list[Service]]:
        """What supervisord is (one of `RUNNING`, `SILENT`, `GONE`), and the services that it tells of."""
        try:
            return RUNNING, self.services()
        except TimeoutError:
            return SILENT, []
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return GONE, []

    def stop(self, *, patience: float = 30.0) -> None:
        """End all services and supervisord itself.

        Raises
        ------
        StackError
            When it is still there after `patience` seconds.
        """
        pid = self.pid()
        if pid is None:
            return
        end = time.monotonic() + patience
        running = {service.name for service in self.services() if service.pid}
        # supervisord's own shutdown ends one service after the other. What others work with ends last.
        for names in (running - NEEDED, running & NEEDED):
            self.stop_services(names, patience=end - time.monotonic())
        self._rpc.shutdown()
        # It stops answering before its services have ended; its own end is the last.
        if not processes.ends(pid, max(1.0, end - time.monotonic())):
            raise StackError(f"supervisord did not end in {patience:.0f} s; read {self._log('supervisord')}")

    def _ask_to_stop(self, name: str, *, wait: bool = False) -> None:
        try:
            self._rpc.stopProcess(name, wait)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise StackError(f"{name} did not end: {fault.faultString}; read {self._log(name)}") from None

    def _log(self, name: str) -> Path:
        return self.home / "log" / f"{name}.log"

    @staticmethod
    def _wait(condition: Any, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.05)
        return False
