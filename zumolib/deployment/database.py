"""The database's errors, told with the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zumolib.database import faults
from zumolib.errors import ZumoError


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the database's errors into one with the remedy."""
    from django.db import DatabaseError, InterfaceError

    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ZumoError(faults.line(error) or f"{reason}; {_remedy()}") from error


def _remedy() -> str:
    """What to do; `zumo migrate` is only for a database of our own."""
    from zumolib.deployment import ownership

    try:
        found = ownership.foreign_tables()
    except ZumoError as error:
        return str(error)
    if found:
        return (
            f"the database of DATABASE_URL is another project's ({found[0]} and others), in which the workbench keeps "
            "nothing; unset DATABASE_URL to use its own"
        )
    return "see DATABASE_URL in `zumo conf`, then run `zumo migrate`"
