"""A PostgreSQL server of a test's own: a temp folder, a free port, an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.missing import missing
from tests.services.ports import free_port

PASSWORD = "it's a \\ secret: with signs"
MEMORY = Path("/dev/shm")
ROOM = 3 << 30  # bytes that must be free there
SETTINGS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_wal_size=128MB",
)


def programs() -> Path | None:
    """The folder of the server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgresql(
    *settings: str, user: str = "zumo", password: str = PASSWORD, in_memory: bool = False
) -> Iterator[dict[str, str | int]]:
    """Where a server that lives as long as the block listens, as Django settings.

    Parameters
    ----------
    settings
        Of the server, beside those that spare the disk, as in ``work_mem=256MB``.
    in_memory
        Keep its files in memory where there is a file system with room for them.
    """
    folder = programs()
    if folder is None:
        missing("PostgreSQL's server is not installed (apt install postgresql)")
    port = free_port()
    # Not one of pytest's folders, which are closed to other users.
    home = Path(tempfile.mkdtemp(prefix="pg-", dir=_memory() if in_memory else None))
    owner = _ordinary_user()
    if owner is not None:
        os.chown(home, owner.pw_uid, owner.pw_gid)
    data, secret = home / "data", home / "secret"
    secret.write_text(password)
    secret.chmod(0o644)
    login = ("-U", user, "--auth=scram-sha-256", f"--pwfile={secret}")
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 " + " ".join(
        f"-c {s}" for s in (*SETTINGS, *settings)
    )
    control = (folder / "pg_ctl", "-D", data, "-w")
    try:
        _run(owner, folder / "initdb", "-D", data, *login, "-E", "UTF8", "--no-sync")
        _run(owner, *control, "-t", "30", "-l", home / "log", "-o", options, "start")
        try:
            yield {"HOST": "127.0.0.1", "PORT": port, "USER": user, "PASSWORD": password, "NAME": "postgres"}
        finally:
            _run(owner, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _memory() -> Path | None:
    """The file system in memory where there is one with room."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


def _ordinary_user() -> pwd.struct_passwd | None:
    """Whom to run as: the server refuses root."""
    if os.getuid():
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    owner = users.get("postgres") or users.get("nobody")
    if owner is None:
        missing("PostgreSQL does not run as root, and there is no user postgres or nobody")
    return owner


def _run(owner: pwd.struct_passwd | None, *words: object) -> None:
    who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
    done = subprocess.run(
        [str(word) for word in words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        check=False,
        **who,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
