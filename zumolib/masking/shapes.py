"""What is secret by its form, whatever it is called."""

from __future__ import annotations

import base64
import binascii
import re

MASK = "***"

# An authority may hold what should have been escaped, so a URL goes on to white space, a quote or the next one.
_URL = re.compile(
    r"(?<![a-zA-Z0-9+.\-])[a-zA-Z][a-zA-Z0-9+.\-]{0,30}://[^\s'\"<>\\]+"
    r"(?:['\"<>][^\s'\"<>\\,:;)\]}][^\s'\"<>\\]{0,80}@[^\s'\"<>\\]*)?"
)
_ENCODED_URL = re.compile(
    r"""(%(?:25)*3[aA]%(?:25)*2[fF]%(?:25)*2[fF](?:(?!%(?:25)*(?:3[aA]|40))[^\s'"<>]){0,200}%(?:25)*3[aA])
    [^\s'"<>]{0,300}?(?=%(?:25)*40)""",
    re.VERBOSE,
)
_LOGIN = re.compile(
    r"(?<![:/])(//[^\s/:@'\"<>\\]{0,80}:)[^\s@'\"<>\\/]{1,200}@(?=[\w\[]|\W*\Z)"
)  # of a URL without its scheme
_BETWEEN = re.compile(r"([;,|](?=[a-zA-Z][a-zA-Z0-9+.\-]{0,30}://))")  # several brokers in one setting
_PORT = re.compile(r"[^/?#:@]*(?::\d{0,5})?(?=[/?#]|\Z)|\[[0-9a-fA-F:.]+\](?::\d{0,5})?(?=[/?#]|\Z)")
_PORTS = re.compile(
    r"\d{0,5}(?:,[^:,]*+(?::\d{0,5}+)?+)*+\W*"
)  # of hosts parted by commas, in a sentence perhaps
_BARE_USER = 20  # characters: a user name without a password is a token from this length on

_BEARER = re.compile(r"\b(bearer\s{1,9})([\w.~+/=\-]{6,})", re.IGNORECASE)
_BASIC = re.compile(r"\b(basic\s{1,9})([A-Za-z0-9+/]{4,}={0,2})", re.IGNORECASE)
_TOKENS = re.compile(
    r"""\beyJ[\w\-]{5,}\.[\w\-]+(?:\.[\w\-]*)?          # JSON Web Token
    | \bgh[pousr]_\w{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w\-]{16,}
    | \bxox[abeoprs]-[\w\-]{10,} | \b[rs]k_(?:live|test)_\w{10,} | \bsk-[\w\-]{20,}
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b | \bSG\.[\w\-]{16,}\.[\w\-]{16,} | \bAIza[\w\-]{30,} | \bya29\.[\w\-]{16,}
    | \bGOCSPX-[\w\-]{16,} | \bnpm_\w{20,} | \bpypi-[\w\-]{20,} | \bhv[sb]\.[\w\-]{16,} | \bdo[opr]_v1_\w{16,}
    | \bhooks\.slack\.com/services/[\w/]+ | \bdiscord(?:app)?\.com/api/webhooks/[\w/\-]+ | \b\d{8,10}:AA[\w\-]{30,}
    | \bhf_\w{20,} | \bwhsec_[\w+/=]{16,} | \bshp(?:at|ca|pa|ss)_\w{16,} | \bdjango-insecure-[^\s'"]{10,}
    | -----BEGIN\ (?:[A-Z]+\ ){0,3}PRIVATE\ KEY(?:\ BLOCK)?-----(?:(?!-----END)[\s\S])*
      (?:-----END\ (?:[A-Z]+\ ){0,3}PRIVATE\ KEY(?:\ BLOCK)?-----)?
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
    *("AKIA", "ASIA", "SG.", "AIza", "ya29.", "GOCSPX-", "npm_", "pypi-", "hvs.", "hvb.", "_v1_", "hf_"),
    *(
        "whsec_",
        "shpat_",
        "shpca_",
        "shppa_",
        "shpss_",
        "django-insecure-",
        "/services/",
        "/webhooks/",
        ":AA",
        "PRIVATE KEY",
    ),
)
# Of what is often written by itself (`task-5`, `msg.`, `half_`, `api_v1_`, `/services/`), with what is beside it.
_NARROWER = {
    "sk-": r"sk-\S{20}",
    "SG.": r"SG\.\S{16}",
    "hf_": r"hf_\S{20}",
    "_v1_": "do[opr]_v1_",
    "/services/": r"slack\.com/services/",
    "/webhooks/": "/api/webhooks/",
}
TRACES = (
    # A URL with a password has a colon or an at sign before it ends, or soon after a quote in it.
    r"""//[^\s'"<>\\]*(?:[:@]|['"<>][^\s'"<>\\]*@)""",
    *("%3a", "%253", "%3d", "bearer", "basic"),
    *(_NARROWER.get(mark, re.escape(mark)) for mark in _MARKS),
)
"""Patterns, some of which match in every text with such a form, in whatever case; of those that RE2 knows."""


def mask_shapes(text: str) -> str:
    """A text with each URL's password, bearer token, JSON Web Token, private key and the like hidden."""
    if "://" in text:
        text = _URL.sub(_without_password, text)
    if "//" in text:
        text = _LOGIN.sub(rf"\g<1>{MASK}@", text)
    if "%" in text:
        text = _ENCODED_URL.sub(rf"\g<1>{MASK}", text)
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
    if last < 0:
        return _cut_authority(rest)
    if _PORT.match(rest):
        return rest
    user, colon, _ = rest[:last].partition(":")
    if not colon:
        return f"{MASK}{rest[last:]}" if len(user) >= _BARE_USER else rest
    return f"{user}:{MASK}{rest[last:]}"


def _cut_authority(rest: str) -> str:
    """The same without an ``@``: what follows a colon is a port, or a password of which the rest was cut off."""
    user, colon, tail = re.split("[/?#]", rest, maxsplit=1)[0].partition(":")
    if not colon or user.startswith("[") or _PORTS.fullmatch(tail):
        return rest
    return f"{user}:{MASK}"


def _without_login(found: re.Match[str]) -> str:
    """``Basic`` and a login in base64; the word before anything else stays as it is."""
    try:
        login = base64.b64decode(found[2] + "=" * (-len(found[2]) % 4), validate=True)
    except (binascii.Error, ValueError):
        return found[0]
    return found[1] + MASK if b":" in login else found[0]
