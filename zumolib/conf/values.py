"""What a value of the environment may be, and what is meant by it."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from zumolib.masking import KEYS
from zumolib.masking.keys import letters


def _url(value: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        split = urlsplit(value)
        has_place = bool(split.path.strip("/")) if "socket" in split.scheme else bool(split.hostname)
        _ = split.port  # raises unless the port is a number up to 65535
    except ValueError as error:
        raise ValueError(f"{error}; use {example}") from None
    if split.scheme in ("redis", "rediss") and not re.fullmatch(r"/?\d*", split.path):
        raise ValueError(f"{split.path!r} is not a valid number of a Redis database; use {example}")
    if split.scheme not in schemes or not has_place:
        raise ValueError(f"expected one of {', '.join(s + '://' for s in schemes)}; use {example}")
    return value


REDIS = ("redis", "rediss", "redis+socket")


def broker(value: str) -> str:
    return _url(value, ("amqp", "amqps", "pyamqp", *REDIS), "amqp://user:password@host:5672/vhost")


def results(value: str) -> str:
    return _url(value, REDIS, "redis://host:6379/1")


def cache(value: str) -> str:
    return _url(value, ("redis", "rediss"), "redis://host:6379/0")


def email(value: str) -> str:
    return _url(value, ("smtp", "smtps", "smtp+tls"), "smtp://user:password@host:25")


def http(value: str) -> str:
    return _url(value, ("http", "https"), "http://host:port") if value else value


def database(value: str) -> str:
    if re.fullmatch(r"sqlite:///.+", value):
        return value
    return _url(
        value, ("postgres", "postgresql"), "postgres://user:password@host:5432/name or sqlite:////path"
    )


STORES = ("s3", "s3a", "gs", "az", "abfs", "abfss")


def history(value: str | None) -> str | None:
    if not value:
        return None
    if "://" not in value:
        return str(absolute(Path(value)))
    if value.startswith("file:///"):
        return value.removeprefix("file://")
    return _url(value, STORES, "/path or s3://bucket/prefix?endpoint=http://host:port")


def moment(value: str) -> str:
    if value:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a time in UTC; use 2026-11-18T00:00:00") from None
    return value


def _listed(value: Any) -> Any:
    return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value


def keys(value: tuple[str, ...]) -> tuple[str, ...]:
    for key in value:
        if not letters(key):
            raise ValueError(f"{key!r} has no letter; name keys as password,*token or default,salary")
    return tuple(dict.fromkeys(chain.from_iterable(KEYS if key == "default" else (key,) for key in value)))


def lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def absolute(value: Path) -> Path:
    return value.expanduser().absolute()


Folder = Annotated[Path, AfterValidator(absolute)]
Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]
