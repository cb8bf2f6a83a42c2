"""The database's errors, told with the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zumolib.errors import ZumoError


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the database's errors into one with the remedy."""
    from django.db import DatabaseError, InterfaceError

    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ZumoError(
            f"the database does not answer ({reason}); see DATABASE_URL in `zumo conf`, then run `zumo migrate`"
        ) from error
