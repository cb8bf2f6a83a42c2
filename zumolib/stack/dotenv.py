"""The ``.env`` file that docker-compose.yml reads: generated secrets and the addresses made of them."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from zumolib.errors import InputError

HEAD = """\
# Settings of docker-compose.yml, made by `zumo env init`. Secret: never commit or send it.
# The passwords are set in the volumes when these are first made; for others, remove the volumes
# (`docker compose down -v`: all data is lost), then run `zumo env init --force`.
"""


def sections(uid: int) -> Mapping[str, Mapping[str, str]]:
    """New secrets and every variable made of them, under the comment that explains them.

    Parameters
    ----------
    uid : int
        User id for the containers' processes. Root (0) becomes 1000, the first ordinary user.
    """
    # Hexadecimal needs no quoting in a URL, in YAML, in a shell or in a configuration file.
    rabbitmq, postgres, redis, mail, reports = (secrets.token_hex(24) for _ in range(5))
    return {
        "Secrets": {
            "RABBITMQ_DEFAULT_PASS": rabbitmq,
            "POSTGRES_PASSWORD": postgres,
            "REDIS_PASSWORD": redis,
            "ZUMO_SECRET_KEY": secrets.token_hex(32),
            "JUPYTER_TOKEN": secrets.token_hex(24),
        },
        "Logins of the pages of mail and reports": {
            "MAIL_LOGIN": f"operator:{mail}",
            "REPORTS_LOGIN": f"operator:{{PLAIN}}{reports}",
        },
        "Addresses, as seen from inside the containers": {
            "CELERY_BROKER_URL": f"amqp://zumodra:{rabbitmq}@rabbitmq:5672/zumodra",
            "CELERY_RESULT_BACKEND": f"redis://:{redis}@redis:6379/1",
            "DATABASE_URL": f"postgres://zumodra:{postgres}@db:5432/zumodra",
            "REDIS_URL": f"redis://:{redis}@redis:6379/0",
            "EMAIL_URL": "smtp://mailhog:1025",
            "RABBITMQ_MANAGEMENT_URL": f"http://zumodra:{rabbitmq}@rabbitmq:15672",
        },
        "Workers: processes of each of the four, level of the logs": {
            "CELERY_WORKER_CONCURRENCY": "2",
            "CELERY_LOGLEVEL": "info",
        },
        "Production values: shorter time limit, prefetch 1, more connections": {
            "USE_SCALE_SETTINGS": "false",
        },
        "Owner of what containers write into this folder": {
            "ZUMO_UID": str(uid or 1000),
        },
    }


def init(path: Path, force: bool = False) -> Path:
    """Write a new ``.env`` with generated secrets, readable by its owner only.

    The file appears whole or not at all: it is written beside its place and then renamed.

    Parameters
    ----------
    path : Path
        The file to write; docker-compose.yml reads ``.env`` beside itself.
    force : bool
        Replace an existing file, and with it all passwords.

    Returns
    -------
    Path
        The absolute path of the new file.

    Raises
    ------
    InputError
        The file exists and `force` is not given, or it cannot be written.
    """
    path = path.expanduser().absolute()
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the file's name too, such as {path / '.env'}")
    if os.path.lexists(path) and not force:
        raise InputError(
            f"{path} exists already, and the volumes were made with its passwords; keep it, or remove the"
            " volumes with `docker compose down -v` (all data is lost) and run `zumo env init --force`"
        )
    body = "".join(
        f"\n# {title}\n" + "".join(f"{name}={value}\n" for name, value in variables.items())
        for title, variables in sections(os.getuid()).items()
    )
    try:
        descriptor, beside = tempfile.mkstemp(prefix=".env.", dir=path.parent)  # mode 0600
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; choose another with --path") from None
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(HEAD + body)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}; choose another with --path") from None
    return path
