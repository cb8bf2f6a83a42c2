"""Does the database read and write? Asked over a connection of its own, so that no pooled one hides a dead server."""

from __future__ import annotations

import warnings
from typing import Any

from zumolib.conf import conf, use_django
from zumolib.database import faults
from zumolib.vitals.answer import FAILING, OK, UNKNOWN, Answer

MISSING = "run `zumo migrate`; see DATABASE_URL in `zumo conf`"
OWN_TABLE = "receipts_receipt"
NOT_OURS = (
    "run `zumo migrate` if DATABASE_URL is the workbench's own database; another project's stays as it is"
)
REMEDY = "look at DATABASE_URL and the database's log"


def connection(seconds: int) -> Any:
    """A connection of Django's that waits no longer than so many seconds for anything."""
    use_django()
    from django.db import connections

    # The apps are not loaded here on purpose: that takes longer than all that is asked.
    warnings.filterwarnings("ignore", "Accessing the database during app initialization", RuntimeWarning)

    made = connections["default"].copy()
    options = dict(made.settings_dict.get("OPTIONS") or {})
    if made.vendor == "postgresql":
        options |= {"connect_timeout": seconds, "options": f"-c statement_timeout={seconds * 1000}"}
    elif made.vendor == "sqlite":
        options |= {"timeout": seconds}
    made.settings_dict["OPTIONS"] = options
    return made


def answer(seconds: int) -> Answer:
    """Read the schedule, and write something that leaves no trace but has to reach the disk."""
    from django.db import DatabaseError, InterfaceError

    made = connection(seconds)
    try:
        with made.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM django_celery_beat_periodictask WHERE enabled")
            (enabled,) = cursor.fetchone()
            if not conf().ZUMO_OWN and OWN_TABLE not in made.introspection.table_names(cursor):
                said = "answers; no write is tried, since it has no table of the workbench"
                return Answer("database", UNKNOWN, said, 0.0, NOT_OURS)
            if made.vendor == "sqlite":
                cursor.execute("PRAGMA user_version")
                (version,) = cursor.fetchone()
                cursor.execute(f"PRAGMA user_version = {int(version)}")
            elif made.vendor == "postgresql":
                cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
                if cursor.fetchone() != (False, "off"):
                    said = "the server takes no writes (read-only transaction)"
                    return Answer("database", FAILING, said, 0.0, faults.remedy(said) or REMEDY)
                cursor.execute("SELECT txid_current()")  # its commit is written to the disk
                cursor.fetchone()
    except (DatabaseError, InterfaceError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        missing = "no such table" in said or "does not exist" in said
        remedy = faults.remedy(error) or (MISSING if missing else REMEDY)
        return Answer("database", FAILING, f"{faults.place()}: {said}", 0.0, remedy)
    finally:
        made.close()
    return Answer("database", OK, f"reads and writes, {enabled:,} entries enabled", 0.0)
