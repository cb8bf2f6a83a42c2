"""The TLS certificate of a domain, read from its socket, whether anyone trusts it or not."""

from __future__ import annotations

import re
import socket
import ssl
import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from tasks.models import Certificate

TIMEOUT = 5.0  # seconds to connect, and again for the handshake
TOGETHER = 8  # domains read at the same time
HTTPS = 443
_SPACE = set(string.whitespace)  # urlsplit drops some of it silently


@dataclass(frozen=True)
class Reading:
    """What one domain showed; without a certificate, `problem` says why."""

    domain: str  # host:port
    subject: str = ""
    issuer: str = ""
    fingerprint: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    trusted: bool | None = None
    problem: str = ""

    def state(self, now: datetime, warning: timedelta, critical: timedelta) -> str:
        """How urgent its renewal is."""
        if self.valid_until is None:
            return Certificate.State.UNREACHABLE
        left = self.valid_until - now
        if left <= timedelta(0):
            return Certificate.State.EXPIRED
        if left <= critical:
            return Certificate.State.CRITICAL
        return Certificate.State.WARNING if left <= warning else Certificate.State.OK


def place(domain: str) -> tuple[str, int]:
    """Host and port of a configured domain: ``example.com``, ``example.com:8443``, ``[::1]:443``.

    Raises
    ------
    ValueError
        It is none of these.
    """
    split = urlsplit(domain if "//" in domain else f"//{domain}")
    host = split.hostname or ""
    plain = re.fullmatch(r"[\w.:-]{1,253}", host) and not _SPACE & set(domain)
    if not plain or split.path not in ("", "/"):
        raise ValueError(f"{domain!r} is no domain; use host:port")
    return host, split.port or HTTPS


def read_all(domains: list[str]) -> list[Reading]:
    """Read several domains at the same time, in the order given."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(read, domains))


def read(domain: str) -> Reading:
    """Read the certificate that `domain` shows; whatever goes wrong on the way is in ``problem``."""
    host, port = place(domain)
    known = f"{host}:{port}"
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE  # an expired or foreign certificate must be read just as well
    try:
        content = _handshake(host, port, anyone)
    except (OSError, ValueError) as error:
        return Reading(known, problem=_reason(error))
    trusted, problem = True, ""
    try:
        _handshake(host, port, ssl.create_default_context())
    except (OSError, ValueError) as error:
        trusted, problem = False, _reason(error)
    return _parsed(known, content, trusted, problem)


def _handshake(host: str, port: int, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection((host, port), TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""


def _parsed(domain: str, content: bytes, trusted: bool, problem: str) -> Reading:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        found = x509.load_der_x509_certificate(content)
        return Reading(
            domain=domain,
            subject=found.subject.rfc4514_string()[:300],
            issuer=found.issuer.rfc4514_string()[:300],
            fingerprint=found.fingerprint(SHA256()).hex(),
            valid_from=found.not_valid_before_utc,
            valid_until=found.not_valid_after_utc,
            trusted=trusted,
            problem=problem,
        )
    except ValueError as error:
        return Reading(domain, problem=f"the certificate cannot be read: {error}"[:300])


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message[:300]
    return (str(error) or type(error).__name__)[:300]


def record(
    readings: list[Reading], now: datetime, warning: timedelta, critical: timedelta
) -> list[Certificate]:
    """Store what the domains showed, a row a domain; an unreadable one keeps its last known certificate."""
    known = {row.domain: row for row in Certificate.objects.filter(domain__in=[r.domain for r in readings])}
    rows = []
    for reading in {reading.domain: reading for reading in readings}.values():
        row = known.get(reading.domain) or Certificate(domain=reading.domain, since=now)
        state = reading.state(now, warning, critical)
        row.since = row.since if row.state == state else now
        row.state, row.checked_at, row.detail = state, now, reading.problem
        row.trusted = reading.trusted
        if reading.fingerprint:
            row.subject, row.issuer, row.fingerprint = reading.subject, reading.issuer, reading.fingerprint
            row.valid_from, row.valid_until = reading.valid_from, reading.valid_until
        rows.append(row)
    columns = [f.name for f in Certificate._meta.concrete_fields if f.name not in ("id", "domain")]
    Certificate.objects.bulk_create(
        [Certificate(domain=row.domain, **{name: getattr(row, name) for name in columns}) for row in rows],
        update_conflicts=True,
        unique_fields=["domain"],
        update_fields=columns,
    )
    return rows
