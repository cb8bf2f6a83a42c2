"""What is secret by its form, whatever it is called."""

from __future__ import annotations

import base64
import binascii
import re

MASK = "***"

# An authority may hold what should have been escaped, so a URL goes on to white space, a quote or the next one.
_URL = re.compile(r"(?<![a-zA-Z0-9+.\-])[a-zA-Z][a-zA-Z0-9+.\-]{0,30}://[^\s'\"<>\\]+")
_BETWEEN = re.compile(r"([;,|](?=[a-zA-Z][a-zA-Z0-9+.\-]{0,30}://))")  # several brokers in one setting
_PORT = re.compile(r"[^/?#:@]*(?::\d{0,5})?(?=[/?#]|\Z)|\[[0-9a-fA-F:.]+\](?::\d{0,5})?(?=[/?#]|\Z)")
_BARE_USER = 20  # characters: a user name without a password is a token from this length on

_BEARER = re.compile(r"\b(bearer\s{1,9})([\w.~+/=\-]{6,})", re.IGNORECASE)
_BASIC = re.compile(r"\b(basic\s{1,9})([A-Za-z0-9+/]{4,}={0,2})", re.IGNORECASE)
_TOKENS = re.compile(
    r"""\beyJ[\w\-]{5,}\.[\w\-]+(?:\.[\w\-]*)?          # JSON Web Token
    | \bgh[pousr]_\w{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w\-]{16,}
    | \bxox[abeoprs]-[\w\-]{10,} | \b[rs]k_(?:live|test)_\w{10,} | \bsk-[\w\-]{20,}
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
    | -----BEGIN\ (?:[A-Z]+\ ){0,3}PRIVATE\ KEY-----(?:(?!-----END)[\s\S])*(?:-----END\ (?:[A-Z]+\ ){0,3}PRIVATE\ KEY-----)?
    """,
    re.VERBOSE,
)

_MARKS = (
    *(
        "eyJ",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "xox",
        "k_live_",
        "k_test_",
        "sk-",
    ),
    *("AKIA", "ASIA", "PRIVATE KEY"),
)
TRACES = ("://", "bearer", "basic", *_MARKS)
"""Letters, some of which every text with such a form has, in whatever case."""


def mask_shapes(text: str) -> str:
    """A text with each URL's password, bearer token, JSON Web Token, private key and the like hidden."""
    if "://" in text:
        text = _URL.sub(_without_password, text)
    lower = text.lower()
    if "bearer" in lower:
        text = _BEARER.sub(rf"\g<1>{MASK}", text)
    if "basic" in lower:
        text = _BASIC.sub(_without_login, text)
    return _TOKENS.sub(MASK, text) if any(mark in text for mark in _MARKS) else text


def _without_password(found: re.Match[str]) -> str:
    return "".join(_one_url(piece) for piece in _BETWEEN.split(found[0]))


def _one_url(piece: str) -> str:
    scheme, joint, rest = piece.partition("://")
    return f"{scheme}://{_authority(rest)}" if joint else piece


def _authority(rest: str) -> str:
    """What follows ``://``, its password hidden.

    A password may hold ``@``, ``/``, ``?`` and ``#`` that should have been escaped: it goes to the last ``@``,
    unless what stands before the path is a host with its port.
    """
    last = rest.rfind("@")
    if last < 0 or _PORT.match(rest):
        return rest
    user, colon, _ = rest[:last].partition(":")
    if not colon:
        return f"{MASK}{rest[last:]}" if len(user) >= _BARE_USER else rest
    return f"{user}:{MASK}{rest[last:]}"


def _without_login(found: re.Match[str]) -> str:
    """``Basic`` and a login in base64; the word before anything else stays as it is."""
    try:
        login = base64.b64decode(found[2] + "=" * (-len(found[2]) % 4), validate=True)
    except (binascii.Error, ValueError):
        return found[0]
    return found[1] + MASK if b":" in login else found[0]
