"""Under which names values are hidden.

A name matches by its words, whatever joins them: ``api_key`` hides ``apiKey``, ``X-API-Key`` and ``apikeys``,
and ``pin`` leaves ``shipping`` alone. A ``*`` stands for further letters of the same word: ``*token`` hides
``accesstoken`` as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

KEYS = (
    *("*password*", "*passwd*", "*passphrase*", "*passcode*", "pass", "*pwd"),
    *("pw", "*creds", "userpass", "dbpass", "smtppass", "mailpass", "adminpass", "rootpass"),
    *(
        "*secret",
        "secretkey",
        "*token",
        "*authorization*",
        "*credential*",
        "auth",
        "*cookie",
        "jwt",
        "otp",
        "totp",
    ),
    *("*api_key", "*private_key", "*access_key", "signing_key", "encryption_key", "master_key", "session_id"),
    *("account_key", "priv_key", "ssh_key", "fernet_key", "shared_key", "storage_key", "deploy_key"),
    *("bearer", "csrf", "xsrf", "hmac", "mfa_code", "sms_code", "auth_code", "backup_code", "recovery_code"),
    *("access_code", "reset_code", "activation_code", "login_code", "2fa_code"),
    *(
        "auth_key",
        "aes_key",
        "session_key",
        "license_key",
        "social_security",
        "security_answer",
        "bank_account",
    ),
    *("cc_number", "ccnum", "oauth"),
    *(
        "card",
        "*card_number",
        "card_no",
        "cvv",
        "cvc",
        "security_code",
        "verification_code",
        "iban",
        "account_number",
        "pin",
        "pincode",
        "ssn",
    ),
    *("database_url", "dsn", "connection_string", "signature", "sig"),
)
"""The keys of who names none; ``default`` stands for them in ``ZUMO_MASKED_KEYS``."""

LIMIT = 500
"""Letters of the longest name that is read; what stands under a longer one is hidden."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_REMEMBERED = 4_096  # names
_RUN = 4  # words that may make up one key


@lru_cache(maxsize=4096)
def masked(name: str, keys: Sequence[str] = KEYS) -> bool:
    """Whether values under this name are hidden.

    Parameters
    ----------
    name
        Of a parameter, a field, a header or a setting.
    keys
        As :data:`KEYS`, a tuple.
    """
    if len(name) > LIMIT:
        return bool(keys)
    pattern, longest = _compiled(keys)
    return any(pattern.fullmatch(found) for found in _candidates(words(name), longest))


class Names(dict[str, bool]):
    """Whether values under a name are hidden, by the name: :func:`masked` for whoever asks for many of them."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__()
        self._masked = keys

    def __missing__(self, name: str) -> bool:
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[name] = masked(name, self._masked)
        return found


@lru_cache(maxsize=8)
def names_of(keys: tuple[str, ...]) -> Names:
    """What is known of names under these keys."""
    return Names(keys)


def words(name: str) -> tuple[str, ...]:
    """A name's words, in lower case: ``apiKey`` and ``api-key`` are both ``("api", "key")``."""
    return tuple(word.lower() for word in _WORD.findall(name))


def letters(key: str) -> str:
    """A key's letters and digits, in lower case, without what joins them and without ``*``."""
    return "".join(words(key))


def _candidates(its: tuple[str, ...], longest: int) -> Iterator[str]:
    """Each word, and each run of words that may be one key."""
    for first in range(len(its)):
        found = ""
        for number, word in enumerate(its[first : first + _RUN]):
            found += word
            if number and len(found) > longest:
                break
            yield found


@lru_cache(maxsize=64)
def _compiled(keys: tuple[str, ...]) -> tuple[re.Pattern[str], int]:
    """What one word of a masked name matches, and the length of the longest key with its plural."""
    parts = [
        ("[^_]*" if key.startswith("*") else "")
        + re.escape(letters(key))
        + ("[^_]*" if key.endswith("*") else "s?")
        for key in keys
        if letters(key)
    ]
    return re.compile("|".join(parts) or "(?!)"), max((len(letters(key)) + 1 for key in keys), default=0)
