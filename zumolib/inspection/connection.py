"""A connection to an app's broker, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu.exceptions import KombuError

from zumolib.conf import hide
from zumolib.errors import BrokerError

CONNECT_SECONDS = 2.0  # a broker on the same network that takes longer is down


@contextmanager
def broker_errors(app: Celery, broken_by: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Turn a broker's many errors into one that names the broker and the remedy."""
    try:
        yield
    except (*broken_by, KombuError, OSError) as error:  # type: ignore[misc]
        place = hide(app.conf.broker_read_url or app.conf.broker_url)
        raise BrokerError(
            f"{place} does not answer ({error}); start the broker or correct its URL"
        ) from error
