"""The key with which sessions are signed: whoever knows it can be anybody in the admin."""

from __future__ import annotations

from zumolib.conf import Conf
from zumolib.errors import ConfError

SHORTEST = 32  # characters
FEWEST = 10  # different ones


def require_key(conf: Conf) -> None:
    """Let pages be served only with a secret key of this installation.

    Raises
    ------
    ConfError
        When ``ZUMO_SECRET_KEY`` is missing or could be guessed.
    """
    key = conf.ZUMO_SECRET_KEY
    if len(key) >= SHORTEST and len(set(key)) >= FEWEST:
        return
    wrong = (
        "is not set"
        if not key
        else f"is too easy to guess ({len(key)} characters, {len(set(key))} different)"
    )
    raise ConfError(
        f"ZUMO_SECRET_KEY {wrong}: with a key that others know or guess anybody can sign in to the admin. Set it to "
        'what `python -c "import secrets; print(secrets.token_urlsafe(48))"` prints, and keep it; '
        "`zumo env init` and `zumo up` each make one"
    )
