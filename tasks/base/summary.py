"""What a run looked at and what it changed; and the rule that one bad row never stops it."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import DataError, IntegrityError

logger = logging.getLogger(__name__)

# What a row can be guilty of. Everything else (a lost connection, a full disk, a bug in a query) is
# not the row's fault and must end the run, so that it is tried again or seen.
BAD_ROW = (
    ArithmeticError,
    AttributeError,
    DataError,
    IntegrityError,
    LookupError,
    ObjectDoesNotExist,
    TypeError,
    UnicodeError,
    ValidationError,
    ValueError,
    smtplib.SMTPRecipientsRefused,
)
SKIPPED_SHOWN = 20  # ids kept in the summary; the log has them all


class Summary(dict[str, Any]):
    """Counters of one run, as the task returns them (plain JSON).

    ``skipped`` counts the rows that could not be handled, ``skipped_ids`` names the first of them.
    """

    def __init__(self, *counters: str, **values: Any) -> None:
        super().__init__(dict.fromkeys(counters, 0) | values | {"skipped": 0})

    def add(self, counter: str, count: int = 1) -> None:
        """Add `count` to a counter."""
        self[counter] = self.get(counter, 0) + count

    def merge(self, counts: dict[str, int]) -> None:
        """Add several counters at once."""
        for counter, count in counts.items():
            self.add(counter, count)

    def skip(self, kind: str, identity: object, reason: object) -> None:
        """Count and log a row that cannot be handled."""
        self.add("skipped")
        shown = self.setdefault("skipped_ids", [])
        if len(shown) < SKIPPED_SHOWN:
            shown.append(f"{kind} {identity}")
        logger.warning("skipped %s %s: %.300s", kind, identity, reason)

    @contextmanager
    def row(self, kind: str, identity: object) -> Iterator[None]:
        """Handle one row: what it does wrong is counted and logged with its id, and the run goes on."""
        try:
            yield
        except BAD_ROW as error:
            self.skip(kind, identity, f"{type(error).__name__}: {error}")
