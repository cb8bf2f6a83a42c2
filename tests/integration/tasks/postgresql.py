"""A PostgreSQL server of the tests' own: a temp folder, a free port, an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.ports import free_port

PASSWORD = "it's a \\ secret: with signs"
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


def programs() -> Path | None:
    """The folder of the server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def server(*settings: str) -> Iterator[dict[str, str | int]]:
    """Where the server listens, as Django settings; without one the test is skipped, in CI it fails.

    Parameters
    ----------
    settings
        Of the server, beside those that spare the disk, as in ``work_mem=256MB``.
    """
    folder = programs()
    if folder is None:
        reason = "PostgreSQL's server is not installed (apt install postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    port = free_port()
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    owner = _ordinary_user()
    if owner is not None:
        os.chown(home, owner.pw_uid, owner.pw_gid)
    data, secret = home / "data", home / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    try:
        _run(
            owner,
            folder / "initdb",
            "-D",
            data,
            "-U",
            "zumo",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "-E",
            "UTF8",
            "--no-sync",
        )
        options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 " + " ".join(
            f"-c {s}" for s in (*SETTINGS, *settings)
        )
        _run(
            owner, folder / "pg_ctl", "-D", data, "-w", "-t", "30", "-l", home / "log", "-o", options, "start"
        )
        try:
            yield {
                "HOST": "127.0.0.1",
                "PORT": port,
                "USER": "zumo",
                "PASSWORD": PASSWORD,
                "NAME": "postgres",
            }
        finally:
            _run(owner, folder / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _ordinary_user() -> pwd.struct_passwd | None:
    """Whom to run as: the server refuses root."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return pytest.skip("PostgreSQL does not run as root and there is no other user")


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
