"""Integrations and certificates: what is found is stored, and only a change is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tasks.core import certificates
from tasks.core.tasks import ssl_renewal_check_task as check_certificates
from tasks.models import Certificate, Integration, IntegrationCheck, Mail
from tasks.zumodra.tasks import health_check_integrations as check
from tests.integration.tasks import rows

ALL = {"payment provider", "mail", "cache", "database", "broker"}


def states() -> dict[str, str]:
    return dict(Integration.objects.values_list("name", "state"))


def test_what_works_is_up_with_its_latency_and_nobody_is_told(platform: Any) -> None:
    summary = check(now=platform.now)
    assert states() == dict.fromkeys(ALL, "up")
    assert (summary["looked_at"], summary["changed"]) == (5, 0)
    assert all(0 < latency < 3000 for latency in summary["latency_ms"].values())
    assert IntegrationCheck.objects.filter(at=platform.now, state="up").count() == 5
    assert platform.inbox.messages == []


# which | how it goes away
BREAKING: list[tuple[str, dict[str, Any]]] = [
    ("payment provider", {"STRIPE_API_BASE": "http://127.0.0.1:1"}),
    ("cache", {"CACHES": {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "broken"), BREAKING)
def test_a_change_of_state_is_told_once_and_so_is_the_return(
    name: str, broken: dict[str, Any], platform: Any
) -> None:
    from django.core.cache import cache
    from django.test import override_settings

    check(now=platform.now)
    down = platform.now + timedelta(minutes=15)
    with override_settings(**broken):
        # Letters need the cache for their marks; without it they wait, as when mail itself is down.
        for minutes in (0, 15):
            check(now=down + timedelta(minutes=minutes))
            assert states() == dict.fromkeys(ALL, "up") | {name: "down"}
    row = Integration.objects.get(name=name)
    assert (row.since, row.latency_ms) == (down, None)
    assert row.detail
    cache.clear()
    back = down + timedelta(minutes=30)
    check(now=back)
    assert [m["Subject"] for m in platform.inbox.messages] == [f"{name} is down", f"{name} is up"]
    assert {m["To"] for m in platform.inbox.messages} == {"ops@zumodra.example"}


def test_letters_wait_while_mail_itself_is_down(platform: Any, settings: Any) -> None:
    from django.test import override_settings

    check(now=platform.now)
    with override_settings(EMAIL_PORT=1):
        summary = check(now=platform.now + timedelta(minutes=15))
    assert summary["states"]["mail"] == "down"
    assert summary["mail_waits"]
    assert Mail.objects.get().state == Mail.State.QUEUED
    check(now=platform.now + timedelta(minutes=30))
    assert [m["Subject"] for m in platform.inbox.messages] == ["mail is down", "mail is up"]


def test_the_broker_is_tried_without_waiting_long(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery

    gone = Celery("gone", broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr("tasks.zumodra.integrations.current_app", gone)
    summary = check(now=platform.now)
    assert (summary["states"]["broker"], summary["changed"]) == ("down", 1)
    gone.close()


def test_what_is_not_configured_is_off(platform: Any, settings: Any) -> None:
    settings.STRIPE_API_KEY = ""
    assert check(now=platform.now)["changed"] == 0
    assert states()["payment provider"] == "off"


def test_the_same_moment_is_checked_once(platform: Any) -> None:
    check(now=platform.now)
    again = check(now=platform.now)
    assert (again["looked_at"], again["changed"], again["already_checked"]) == (0, 0, True)
    assert check(now=platform.now - timedelta(hours=1))["already_checked"]  # a message that came late


def test_letters_of_a_killed_check_leave_when_its_message_comes_again(platform: Any) -> None:
    from django.test import override_settings

    at = platform.now + timedelta(minutes=15)
    check(now=platform.now)
    with override_settings(EMAIL_PORT=1):
        check(now=at)  # all is written, and the letter did not leave
    assert check(now=at)["already_checked"]
    assert [m["Subject"] for m in platform.inbox.messages] == ["mail is down"]


Serve = Callable[[float], str]


@contextmanager
def domain(folder: Path, days: float, now: datetime) -> Iterator[str]:
    """A TLS server with a certificate of its own making that ends in `days`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "stand-in"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, rows.HOSTILE[0]),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "tls.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(client, server_side=True).close()
                except (OSError, ssl.SSLError):
                    client.close()  # the reader that trusts nobody hangs up

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


# days left | state | is anybody told
@pytest.mark.parametrize(
    ("days", "state", "told"),
    [(31, "ok", 0), (29, "warning", 1), (6, "critical", 1), (-3, "expired", 1)],
)
def test_a_certificate_is_judged_by_its_days(
    days: float, state: str, told: int, platform: Any, settings: Any, tmp_path: Path
) -> None:
    with domain(tmp_path, days, platform.now) as place:
        settings.TLS_DOMAINS = [place]
        summary = check_certificates(now=platform.now)
        check_certificates(now=platform.now + timedelta(hours=6))
    row = Certificate.objects.get()
    assert (row.state, summary[state], summary["looked_at"]) == (state, 1, 1)
    assert (row.valid_until, row.trusted) == (platform.now + timedelta(days=days), False)
    assert "stand-in" in row.subject
    assert row.detail
    assert len(platform.inbox.messages) == told
    for message in platform.inbox.messages:
        html = message.get_body(("html",)).get_content()
        assert "<script>" not in html
        assert "&lt;script" in html


def test_a_certificate_is_told_again_when_it_gets_worse(platform: Any, settings: Any, tmp_path: Path) -> None:
    with domain(tmp_path, 29, platform.now) as place:
        settings.TLS_DOMAINS = [place]
        for later in (0, 1, 25, 26, 40):
            check_certificates(now=platform.now + timedelta(days=later))
    assert [m["Subject"].partition(": ")[2] for m in platform.inbox.messages] == [
        "29 days left", "4 days left", "expired",
    ]  # fmt: skip


def test_domains_that_are_wrong_or_silent_do_not_stop_the_others(
    platform: Any, settings: Any, tmp_path: Path
) -> None:
    with domain(tmp_path, 90, platform.now) as place:
        settings.TLS_DOMAINS = [
            "",
            "host:port",
            "a/b",
            rows.HOSTILE[2],
            "127.0.0.1:1",
            "no.such.invalid",
            place,
        ]
        summary = check_certificates(now=platform.now, notify_admins=False)
    assert (summary["skipped"], summary["unreachable"], summary["ok"]) == (4, 2, 1)
    assert platform.inbox.messages == []


def test_a_domain_that_goes_away_keeps_its_last_certificate(
    platform: Any, settings: Any, tmp_path: Path
) -> None:
    with domain(tmp_path, 90, platform.now) as place:
        settings.TLS_DOMAINS = [place]
        check_certificates(now=platform.now)
    known = Certificate.objects.get()
    check_certificates(now=platform.now + timedelta(hours=6))
    check_certificates(now=platform.now + timedelta(hours=12))
    row = Certificate.objects.get()
    assert (row.state, row.fingerprint) == ("unreachable", known.fingerprint)
    assert row.since == platform.now + timedelta(hours=6)
    assert len(platform.inbox.messages) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.example", ("a.example", 443)),
        ("a.example:8443", ("a.example", 8443)),
        ("[::1]:4", ("::1", 4)),
        ("https://a.example/", ("a.example", 443)),
    ],
)
def test_places(given: str, expected: tuple[str, int]) -> None:
    assert certificates.place(given) == expected


def test_times_of_certificates_are_utc(platform: Any, settings: Any, tmp_path: Path) -> None:
    with domain(tmp_path, 90, platform.now) as place:
        reading = certificates.read(place)
    assert reading.valid_until is not None
    assert reading.valid_until.tzinfo is UTC
