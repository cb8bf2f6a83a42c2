"""Ports and passwords of the embedded stack, chosen once and remembered."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import socket
import stat
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from zumolib.conf import STATE_FILE, runtime_folder
from zumolib.errors import StackError

PORTS = ("valkey", "mail", "provider", "provider-tls", "jupyter")
LISTENING = range(20_000, 32_000)  # where ports are chosen from
SOCKET_LIMIT = 100  # bytes; the kernel allows 107 and supervisor adds a suffix
SHORT_FOLDER = Path("run", "socket-folder")  # where the place of the socket is remembered
FOLDERS = ("run", "log", "valkey", "mail", "jupyter", "history", "backups", "archives", "tmp")


@dataclass(frozen=True)
class Plan:
    """What one embedded stack is made of; kept in ``stack.json`` with mode 0600."""

    ports: dict[str, int]  # by service, all on 127.0.0.1
    jupyter_token: str
    valkey_password: str
    supervisor_password: str
    settings: dict[str, str]  # what zumolib.conf reads where the environment has no value

    @classmethod
    def make(cls) -> Plan:
        """A new plan with free ports and fresh secrets."""
        ports = free_ports(PORTS)
        password = secrets.token_urlsafe(24)
        valkey = f"redis://:{password}@127.0.0.1:{ports['valkey']}"
        return cls(
            ports=ports,
            jupyter_token=secrets.token_hex(24),
            valkey_password=password,
            supervisor_password=secrets.token_urlsafe(24),
            settings={
                "CELERY_BROKER_URL": f"{valkey}/2",
                "CELERY_RESULT_BACKEND": f"{valkey}/1",
                "REDIS_URL": f"{valkey}/0",
                "EMAIL_URL": f"smtp://127.0.0.1:{ports['mail']}",
                "STRIPE_API_BASE": f"http://127.0.0.1:{ports['provider']}",
                "STRIPE_API_KEY": "sk_test_embedded",
                "ZUMO_TLS_DOMAINS": f"127.0.0.1:{ports['provider-tls']}",
                "ZUMO_SECRET_KEY": secrets.token_urlsafe(48),
            },
        )

    @classmethod
    def load(cls, home: Path) -> Plan | None:
        """The remembered plan of `home`; None when there is none yet.

        Raises
        ------
        StackError
            When the file is damaged.
        """
        path = home / STATE_FILE
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError):
            raise StackError(f"{path} is damaged; delete it, then run `zumo up` to make it anew") from None

    def save(self, home: Path) -> None:
        """Write the plan whole or not at all, readable by its owner only."""
        path = home / STATE_FILE
        part = path.with_suffix(".part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    @property
    def jupyter_url(self) -> str:
        """Where a browser finds JupyterLab, with the token."""
        return f"http://127.0.0.1:{self.ports['jupyter']}/lab?token={self.jupyter_token}"


def prepare(home: Path, *, min_free_mb: int) -> Plan:
    """Make the folders of `home` and its plan, or find them as they were.

    Raises
    ------
    StackError
        When the folder cannot be written or its disk is nearly full.
    """
    try:
        for name in FOLDERS:
            (home / name).mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        (home / "run" / "writable").write_text("")
        _choose_short_folder(home)
        free = shutil.disk_usage(home).free // 2**20
        if free < min_free_mb:
            raise StackError(
                f"only {free} MB free on the disk of {home}, {min_free_mb} MB are needed; free some, "
                "set ZUMO_HOME to a folder elsewhere, or lower ZUMO_MIN_FREE_MB"
            )
        plan = Plan.load(home)
        if plan is None:
            plan = Plan.make()
            plan.save(home)
    except OSError as error:
        raise StackError(
            f"ZUMO_HOME={str(home)!r} cannot be written ({error.strerror}); "
            "set ZUMO_HOME to a folder of your own"
        ) from None
    return plan


def supervisor_socket(home: Path) -> Path:
    """The socket of `home`'s supervisord; in a short folder of its own where the path would be too long.

    That folder is the one that :func:`prepare` chose and remembered. One that somebody else could write
    to is not used: whoever answers on the socket is told the stack's secrets.
    """
    path = home / "run" / "supervisor.sock"
    if len(os.fsencode(path)) <= SOCKET_LIMIT:
        return path
    try:
        folder = Path((home / SHORT_FOLDER).read_text())
    except OSError:
        return path  # nothing answers on a path that is too long
    return folder / "supervisor.sock" if _is_private(folder) else path


def _choose_short_folder(home: Path) -> None:
    """Make a folder with a short, random name for the socket, unless there is one that is safe."""
    if len(os.fsencode(home / "run" / "supervisor.sock")) <= SOCKET_LIMIT:
        return
    remembered = home / SHORT_FOLDER
    if remembered.exists() and _is_private(Path(remembered.read_text())):
        return
    places = [runtime_folder(), tempfile.gettempdir(), "/tmp"]
    for place in filter(os.path.isdir, places):
        if len(os.fsencode(place)) + len("/zumo-xxxxxxxx/supervisor.sock") <= SOCKET_LIMIT:
            remembered.write_text(tempfile.mkdtemp(prefix="zumo-", dir=place))  # mode 0700
            return
    raise StackError(
        f"the path of ZUMO_HOME={str(home)!r} is too long for a socket, and so is that of the temporary "
        "folder; set ZUMO_HOME or TMPDIR to a shorter one"
    )


def _is_private(folder: Path) -> bool:
    """Whether this is a folder, and not a link to one, in which nobody but this user can put anything."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def check_ports(plan: Plan, home: Path, *, ours: set[int]) -> None:
    """Make sure that every port is free or held by a process of ours.

    Raises
    ------
    StackError
        Naming the port, the service it is for and, where the system tells, the process that has it.
    """
    for service, port in plan.ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                holder = _holder(port)
                if holder is not None and holder.pid in ours:
                    continue
                who = f"process {holder.pid} ({holder.name()})" if holder else "another process"
                raise StackError(
                    f"port {port}, which {service} uses here, is taken by {who}; end it, "
                    f"or delete {home / STATE_FILE} to have new ports chosen"
                ) from None


def _holder(port: int) -> psutil.Process | None:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS tells only root
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return psutil.Process(connection.pid)
    return None


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A free port of the loopback interface for each name.

    They lie below those that systems give to outgoing connections (from 32,768 on Linux), so that no
    connection of anybody's takes one while its server is down.
    """
    with ExitStack() as open_together:  # so that no port is given twice
        ports = {}
        for name in names:
            for port in (*random.SystemRandom().sample(LISTENING, 200), 0):
                probe = open_together.enter_context(socket.socket())
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                ports[name] = probe.getsockname()[1]
                break
        return ports
