"""Every setting, typed and frozen; the only reader of the environment.

A value comes from the first of three places that has it: the environment, the state file that the
embedded stack keeps in ``ZUMO_HOME`` (ports and passwords that it chose), the default. ``zumo conf``
prints all of them with where each came from.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from zumolib.errors import ConfError
from zumolib.masking import KEYS, MASK, mask_text, masked
from zumolib.masking.keys import letters

PROJECT = Path(__file__).resolve().parent.parent
STATE_FILE = "stack.json"


def _default_home() -> Path:
    """The clone's own ``.zumo`` folder; for an installed package, the user's state folder."""
    if (PROJECT / "pyproject.toml").is_file():
        return PROJECT / ".zumo"
    from platformdirs import user_state_path

    return user_state_path("zumo")


def _url(value: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        split = urlsplit(value)
        has_place = bool(split.path.strip("/")) if "socket" in split.scheme else bool(split.hostname)
        _ = split.port  # raises where the port is no number up to 65535
    except ValueError as error:
        raise ValueError(f"{error}; use {example}") from None
    if split.scheme in ("redis", "rediss") and not re.fullmatch(r"/?\d*", split.path):
        raise ValueError(f"{split.path!r} is no number of a Redis database; use {example}")
    if split.scheme not in schemes or not has_place:
        raise ValueError(f"expected one of {', '.join(s + '://' for s in schemes)}; use {example}")
    return value


REDIS = ("redis", "rediss", "redis+socket")


def _broker(value: str) -> str:
    return _url(value, ("amqp", "amqps", "pyamqp", *REDIS), "amqp://user:password@host:5672/vhost")


def _results(value: str) -> str:
    return _url(value, REDIS, "redis://host:6379/1")


def _cache_url(value: str) -> str:
    return _url(value, ("redis", "rediss"), "redis://host:6379/0")


def _email(value: str) -> str:
    return _url(value, ("smtp", "smtps", "smtp+tls"), "smtp://user:password@host:25")


def _http(value: str) -> str:
    return _url(value, ("http", "https"), "http://host:port") if value else value


def _database(value: str) -> str:
    if re.fullmatch(r"sqlite:///.+", value):
        return value
    return _url(
        value, ("postgres", "postgresql"), "postgres://user:password@host:5432/name or sqlite:////path"
    )


STORES = ("s3", "s3a", "gs", "az", "abfs", "abfss")


def _history(value: str | None) -> str | None:
    if not value:
        return None
    if "://" not in value:
        return str(_absolute(Path(value)))
    if value.startswith("file:///"):
        return value.removeprefix("file://")
    return _url(value, STORES, "/path or s3://bucket/prefix?endpoint=http://host:port")


def _time(value: str) -> str:
    if value:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a time in UTC; use 2026-11-18T00:00:00") from None
    return value


def _listed(value: Any) -> Any:
    return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value


def _keys(value: tuple[str, ...]) -> tuple[str, ...]:
    for key in value:
        if not letters(key):
            raise ValueError(f"{key!r} has no letter; name keys as password,*token or default,salary")
    return tuple(dict.fromkeys(chain.from_iterable(KEYS if key == "default" else (key,) for key in value)))


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


Folder = Annotated[Path, AfterValidator(_absolute)]
Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _StackFile(PydanticBaseSettingsSource):
    """What the embedded stack chose, from ``ZUMO_HOME/stack.json``."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise LookupError(field_name)  # values are given whole, by __call__

    def __call__(self) -> dict[str, Any]:
        home = self.current_state.get("ZUMO_HOME")
        chosen = _stack_settings(_absolute(Path(home)) if home else _default_home())
        return {name: value for name, value in chosen.items() if name in self.settings_cls.model_fields}


class Conf(BaseSettings):
    """The settings of one process. Field names are the names of the environment's variables."""

    model_config = SettingsConfigDict(frozen=True, case_sensitive=True, extra="ignore", enable_decoding=False)

    CELERY_BROKER_URL: Annotated[str, AfterValidator(_broker)] = Field(
        "redis://127.0.0.1:6379/2", description="where tasks are sent"
    )
    CELERY_RESULT_BACKEND: Annotated[str, AfterValidator(_results)] = Field(
        "redis://127.0.0.1:6379/1", description="where results are kept"
    )
    CELERY_WORKER_CONCURRENCY: int = Field(2, ge=1, le=512, description="processes of one worker")
    CELERY_LOGLEVEL: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_lower)
    ] = Field("info", description="level of the worker's and beat's logs")
    USE_SCALE_SETTINGS: bool = Field(
        False, description="production values: 8 processes or more, prefetch 1, 30 min limit, 50 connections"
    )
    DATABASE_URL: Annotated[str, AfterValidator(_database)] = Field(
        "", validate_default=False, description="schedules, business data and receipts"
    )
    REDIS_URL: Annotated[str, AfterValidator(_cache_url)] = Field(
        "redis://127.0.0.1:6379/0", description="the cache"
    )
    EMAIL_URL: Annotated[str, AfterValidator(_email)] = Field(
        "smtp://127.0.0.1:1025", description="the mail server"
    )
    RABBITMQ_MANAGEMENT_URL: Annotated[str, AfterValidator(_http)] = Field(
        "", description="RabbitMQ's management API, with user and password; empty where there is none"
    )
    STRIPE_API_BASE: Annotated[str, AfterValidator(_http)] = Field(
        "", description="the payment provider's address; empty means its own"
    )
    STRIPE_API_KEY: str = Field("", description="the payment provider's secret key; empty means no payments")
    MAILING_API_BASE: Annotated[str, AfterValidator(_http)] = Field(
        "", description="the mailing provider's address; empty means that the stand-in serves it too"
    )
    MAILING_API_KEY: str = Field("", description="the mailing provider's key")
    ZUMO_SITE_URL: Annotated[str, AfterValidator(_http)] = Field(
        "https://zumodra.example", description="address of the public careers site, for its sitemap"
    )
    ZUMO_SKILLS_FEED: str = Field("", description="file or URL of the skills feed; empty means a shipped one")
    ZUMO_APP: str = Field("zumolib", description="the Celery app to operate on, as in `celery -A`")
    ZUMO_HOME: Folder = Field(default_factory=_default_home, description="state of the embedded stack")
    ZUMO_HISTORY: Annotated[str | None, AfterValidator(_history)] = Field(
        None, description="recorded events and depth samples: a folder, or s3://bucket/prefix?endpoint=…"
    )
    ZUMO_HISTORY_DAYS: int = Field(90, ge=1, description="days after which recorded history is deleted")
    ZUMO_HISTORY_GB: float | None = Field(
        None, gt=0, description="size, in GB, above which the oldest days of history are deleted"
    )
    ZUMO_QUERY_THREADS: int | None = Field(
        None, ge=1, le=256, description="threads of one question to the history; without it, one a processor"
    )
    ZUMO_REPORTS: Folder = Field(PROJECT / "reports", description="executed notebooks, a folder a day")
    ZUMO_REPORT_DAYS: int = Field(
        400, ge=1, description="days after which reports and runs of runbooks are deleted"
    )
    ZUMO_RECEIPT_DAYS: int = Field(730, ge=1, description="days after which receipts of actions are deleted")
    ZUMO_SOLE_WORKER: bool = Field(
        False,
        description="no other worker is on this broker, so what a killed one left is given back at once",
    )
    ZUMO_OWN: bool = Field(
        False, description="broker and database are the platform's own, whatever else is found in them"
    )
    ZUMO_READ_ONLY: bool = Field(
        False, description="refuse every action on the running system, whichever way it is asked for"
    )
    ZUMO_MASKED_KEYS: Annotated[Listed, AfterValidator(_keys)] = Field(
        KEYS,
        description="names whose values are hidden wherever they show; `default` stands for the built-in ones",
    )
    ZUMO_MIN_FREE_MB: int = Field(
        300, ge=0, description="free disk space, in MB, without which nothing is started"
    )
    ZUMO_ADMINS: Listed = Field(("operations@zumodra.example",), description="who is told of trouble")
    ZUMO_HOSTS: Listed = Field(("localhost", "127.0.0.1"), description="names that the web pages answer to")
    ZUMO_TLS_DOMAINS: Listed = Field((), description="host:port of certificates to watch")
    ZUMO_SECRET_KEY: str = Field("", description="Django's secret key; the embedded stack makes its own")
    ZUMO_NOW: Annotated[str, AfterValidator(_time)] = Field(
        "", description="a frozen clock for tests and documentation, ISO 8601 UTC; empty means the real one"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Given values first, then the environment, then what the embedded stack chose."""
        return init_settings, env_settings, _StackFile(settings_cls)

    @property
    def history(self) -> Path | str:
        """Where the recorded history is: a folder, or the URL of an object store."""
        if self.ZUMO_HISTORY and "://" in self.ZUMO_HISTORY:
            return self.ZUMO_HISTORY
        return Path(self.ZUMO_HISTORY) if self.ZUMO_HISTORY else self.ZUMO_HOME / "history"

    @property
    def history_folder(self) -> Path:
        """A local folder that belongs to the history: itself, or the one for an object store's cache."""
        history = self.history
        return history if isinstance(history, Path) else self.folder_of(history)

    def folder_of(self, url: str) -> Path:
        """A local folder for what belongs to an address: the same one whatever its keys are."""
        place = url.partition("?")[0]
        return self.ZUMO_HOME / "remote" / hashlib.sha256(place.encode()).hexdigest()[:16]

    @property
    def database_url(self) -> str:
        """The database; without a setting, one SQLite file in ``ZUMO_HOME``."""
        return self.DATABASE_URL or f"sqlite:///{self.ZUMO_HOME / 'zumodra.sqlite3'}"

    def now(self) -> datetime:
        """The time in UTC; the frozen one where ``ZUMO_NOW`` is set."""
        if not self.ZUMO_NOW:
            return datetime.now(UTC)
        at = datetime.fromisoformat(self.ZUMO_NOW)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

    @property
    def broker_is_redis(self) -> bool:
        """Whether the broker is Redis or Valkey (else it speaks AMQP)."""
        return urlsplit(self.CELERY_BROKER_URL).scheme in REDIS


@dataclass(frozen=True)
class Setting:
    """One row of ``zumo conf``."""

    name: str
    value: str  # secrets hidden
    source: str  # environment, embedded stack, or default
    description: str


def hide(value: object) -> str:
    """Text of a setting without its password."""
    text = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
    return mask_text(re.sub(r"(?i)([?&][^=&]*key[^=&]*=)[^&]*", rf"\1{MASK}", text))


def explain(conf: Conf) -> list[Setting]:
    """Every setting with its value and where it came from."""
    stack = _stack_settings(conf.ZUMO_HOME)
    derived = {"ZUMO_HISTORY": conf.history, "DATABASE_URL": conf.database_url}
    rows = []
    for name, field in type(conf).model_fields.items():
        value = getattr(conf, name)
        secret = masked(name) and value and "://" not in str(value)
        source = "environment" if name in os.environ else "embedded stack" if name in stack else "default"
        rows.append(
            Setting(name, MASK if secret else hide(derived.get(name, value)), source, field.description or "")
        )
    return rows


def read(**overrides: Any) -> Conf:
    """Read the settings.

    Raises
    ------
    ConfError
        One line with variable, value and remedy for the first setting that is wrong.
    """
    try:
        return Conf(**overrides)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        reason = first["msg"].removeprefix("Value error, ")
        reason = reason[:1].lower() + reason[1:]
        default = Conf.model_fields[name].get_default(call_default_factory=True, validated_data={})
        remedy = f"unset {name} to use {hide(default)!r}" if default else f"unset {name} to do without"
        shown = MASK if masked(name) and "://" not in str(first["input"]) else hide(first["input"])
        raise ConfError(f"{name}={shown!r}: {reason}; or {remedy}") from None


@cache
def conf() -> Conf:
    """The settings of this process, read once."""
    return read()


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process that we start."""
    return {**os.environ, **(extra or {})}


def drop_from_environment(name: str) -> None:
    """Let the processes that this one starts know nothing of a variable."""
    os.environ.pop(name, None)


def runtime_folder() -> str:
    """The user's own folder for sockets, as the system's log-in names it; empty where it does not."""
    return os.environ.get("XDG_RUNTIME_DIR", "")


def metrics_folder() -> Path | None:
    """Where this worker's processes count; None where they do not."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def headless() -> bool:
    """Whether this is a notebook's kernel that no person sits before: papermill's, nbconvert's, nbclient's.

    Jupyter's server names the notebook to the kernels of its sessions; whoever runs a notebook without a
    server does not.
    """
    kernel = sys.modules.get("ipykernel.kernelapp")
    return kernel is not None and kernel.IPKernelApp.initialized() and not os.environ.get("JPY_SESSION_NAME")


def person() -> str:
    """Who acts here: the user's name and the machine's."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def use_django() -> None:
    """Point Django, and Celery's Django support, at our settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zumolib.settings")


def allow_orm_in_event_loop() -> None:
    """Let Django's ORM be used in a notebook, whose cells share their thread with an event loop."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def _stack_settings(home: Path) -> dict[str, Any]:
    path = home / STATE_FILE
    try:
        return dict(json.loads(path.read_text())["settings"])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError:
        raise ConfError(
            f"{path} cannot be read by this user; set ZUMO_HOME to a folder of your own"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ConfError(f"{path} is damaged; delete it, then run `zumo up` to make it anew") from None
