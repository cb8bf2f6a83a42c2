"""What a database says when the ground below it gives way, and what to do about each.

None of these is mended by `zumo migrate`: the disk is full or broken, or the file is damaged or closed to us.
"""

from __future__ import annotations

from zumolib.conf import conf

# what the driver says, in small letters: what to do
_REMEDIES = (
    (("database or disk is full", "no space left on device", "could not extend file"), "full"),
    (("disk i/o error",), "io"),
    (
        ("attempt to write a readonly database", "read-only transaction", "unable to open database file"),
        "readonly",
    ),
    (("database disk image is malformed", "file is not a database", "malformed database schema"), "damaged"),
    (("database is locked",), "locked"),
)


def remedy(error: BaseException | str) -> str | None:
    """What to do about this error of a database; None where it is not the storage that is the trouble."""
    said = str(error).lower()
    for words, kind in _REMEDIES:
        if any(word in said for word in words):
            return _remedy(kind)
    return None


def line(error: BaseException) -> str | None:
    """One line for a database's error: what it is, which database, what to do; None for any other error."""
    found = remedy(error) if _is_of_a_database(error) else None
    if found is None:
        return None
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"{place()}: {said}; {found}"


def place() -> str:
    """The database in words: its file, or the setting that names its server."""
    url = conf().database_url
    return url.removeprefix("sqlite:///") if url.startswith("sqlite:") else "the database of DATABASE_URL"


def _remedy(kind: str) -> str:
    home = conf().ZUMO_HOME
    file = place()
    server = not conf().database_url.startswith("sqlite:")
    if kind == "full":
        return (
            f"free some space on the disk of {'the database' if server else file}; all goes on by itself then"
        )
    if kind == "io":
        return "the disk is full or broken: look at `df` and the system's log"
    if kind == "readonly":
        if server:
            return "the server takes no writes: a standby, or default_transaction_read_only is on"
        return f"let this user write to {file} and to its folder"
    if kind == "locked":
        return "another process holds it for long: end that one (`fuser` names it), then call again"
    if server:
        return "restore it from a backup"
    return (
        f"run `zumo down`, move {file} and its -wal and -shm files aside, restore a copy from {home / 'backups'} "
        "in its place or start with an empty one, then run `zumo up`"
    )


def _is_of_a_database(error: BaseException) -> bool:
    """Whether a driver, or Django for it, raised this; told without importing either."""
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return bool(modules & {"sqlite3", "psycopg"}) or any(
        kind.__module__ == "django.db.utils" for kind in type(error).__mro__
    )
