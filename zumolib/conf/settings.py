"""Every setting, typed and frozen; the only reader of the environment.

A value comes from the first of three places that has it: the environment, the state file that the
embedded stack keeps in ``ZUMO_HOME`` (ports and passwords that it chose), the default. ``zumo conf``
prints all of them with where each came from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from zumolib.conf import values
from zumolib.errors import ConfError
from zumolib.masking import KEYS, MASK, mask_text, masked

PROJECT = Path(__file__).resolve().parents[2]
STATE_FILE = "stack.json"


def _default_home() -> Path:
    """The clone's own ``.zumo`` folder; for an installed package, the user's state folder."""
    if (PROJECT / "pyproject.toml").is_file():
        return PROJECT / ".zumo"
    from platformdirs import user_state_path

    return user_state_path("zumo")


class _StackFile(PydanticBaseSettingsSource):
    """What the embedded stack chose, from ``ZUMO_HOME/stack.json``."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise LookupError(field_name)  # values are given whole, by __call__

    def __call__(self) -> dict[str, Any]:
        home = self.current_state.get("ZUMO_HOME")
        chosen = _stack_settings(values.absolute(Path(home)) if home else _default_home())
        return {name: value for name, value in chosen.items() if name in self.settings_cls.model_fields}


class Conf(BaseSettings):
    """The settings of one process. Field names are the names of the environment's variables."""

    model_config = SettingsConfigDict(frozen=True, case_sensitive=True, extra="ignore", enable_decoding=False)

    CELERY_BROKER_URL: Annotated[str, AfterValidator(values.broker)] = Field(
        "redis://127.0.0.1:6379/2", description="where tasks are sent"
    )
    CELERY_RESULT_BACKEND: Annotated[str, AfterValidator(values.results)] = Field(
        "redis://127.0.0.1:6379/1", description="where results are kept"
    )
    CELERY_WORKER_CONCURRENCY: int = Field(2, ge=1, le=512, description="processes of one worker")
    CELERY_LOGLEVEL: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(values.lower)
    ] = Field("info", description="level of the worker's and beat's logs")
    USE_SCALE_SETTINGS: bool = Field(
        False, description="production values: 8 processes or more, prefetch 1, 30 min limit, 50 connections"
    )
    DATABASE_URL: Annotated[str, AfterValidator(values.database)] = Field(
        "", validate_default=False, description="schedules, business data and receipts"
    )
    REDIS_URL: Annotated[str, AfterValidator(values.cache)] = Field(
        "redis://127.0.0.1:6379/0", description="the cache"
    )
    EMAIL_URL: Annotated[str, AfterValidator(values.email)] = Field(
        "smtp://127.0.0.1:1025", description="the mail server"
    )
    RABBITMQ_MANAGEMENT_URL: Annotated[str, AfterValidator(values.http)] = Field(
        "", description="RabbitMQ's management API, with user and password; empty where there is none"
    )
    STRIPE_API_BASE: Annotated[str, AfterValidator(values.http)] = Field(
        "", description="the payment provider's address; empty means its own"
    )
    STRIPE_API_KEY: str = Field("", description="the payment provider's secret key; empty means no payments")
    MAILING_API_BASE: Annotated[str, AfterValidator(values.http)] = Field(
        "", description="the mailing provider's address; empty means that the stand-in serves it too"
    )
    MAILING_API_KEY: str = Field("", description="the mailing provider's key")
    ZUMO_SITE_URL: Annotated[str, AfterValidator(values.http)] = Field(
        "https://zumodra.example", description="address of the public careers site, for its sitemap"
    )
    ZUMO_SKILLS_FEED: str = Field("", description="file or URL of the skills feed; empty means a shipped one")
    ZUMO_APP: str = Field("zumolib", description="the Celery app to operate on, as in `celery -A`")
    ZUMO_HOME: values.Folder = Field(default_factory=_default_home, description="state of the embedded stack")
    ZUMO_HISTORY: Annotated[str | None, AfterValidator(values.history)] = Field(
        None, description="recorded events and depth samples: a folder, or s3://bucket/prefix?endpoint=…"
    )
    ZUMO_HISTORY_DAYS: int = Field(90, ge=1, description="days after which recorded history is deleted")
    ZUMO_HISTORY_GB: float | None = Field(
        None, gt=0, description="size, in GB, above which the oldest days of history are deleted"
    )
    ZUMO_QUERY_THREADS: int | None = Field(
        None, ge=1, le=256, description="threads of one question to the history; without it, one a processor"
    )
    ZUMO_REPORTS: values.Folder = Field(PROJECT / "reports", description="executed notebooks, a folder a day")
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
    ZUMO_MASKED_KEYS: Annotated[values.Listed, AfterValidator(values.keys)] = Field(
        KEYS,
        description="names whose values are hidden wherever they show; `default` stands for the built-in ones",
    )
    ZUMO_MIN_FREE_MB: int = Field(
        300, ge=0, description="free disk space, in MB, without which nothing is started"
    )
    ZUMO_ADMINS: values.Listed = Field(("operations@zumodra.example",), description="who is told of trouble")
    ZUMO_HOSTS: values.Listed = Field(
        ("localhost", "127.0.0.1"), description="names that the web pages answer to"
    )
    ZUMO_TLS_DOMAINS: values.Listed = Field((), description="host:port of certificates to watch")
    ZUMO_SECRET_KEY: str = Field("", description="Django's secret key; the embedded stack makes its own")
    ZUMO_NOW: Annotated[str, AfterValidator(values.moment)] = Field(
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
        return urlsplit(self.CELERY_BROKER_URL).scheme in values.REDIS


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
