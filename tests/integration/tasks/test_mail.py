"""Each letter leaves once, whatever is in it and whatever happens on the way."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from tasks.base import mail
from tasks.base.clock import moment
from tasks.base.mail import Letter
from tasks.models import Mail
from tests.integration.tasks import rows

ALLOWED = {
    "!doctype",
    "html",
    "head",
    "meta",
    "title",
    "body",
    "div",
    "h1",
    "p",
    "table",
    "tr",
    "th",
    "td",
    "a",
}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def letters(count: int) -> list[Letter]:
    return [
        Letter("test", f"occasion {n}", f"u{n}@x.example", f"Subject {n}", (f"Line {n}",))
        for n in range(count)
    ]


def send(platform: Any, given: list[Letter], holder: str = "me") -> dict[str, int]:
    mail.write(given, platform.now)
    return mail.deliver("test", holder)


def test_each_letter_goes_to_its_recipient_once(platform: Any) -> None:
    assert send(platform, letters(3)) == {"mailed": 3, "refused": 0, "deferred": 0}
    assert send(platform, letters(4)) == {"mailed": 1, "refused": 0, "deferred": 0}
    assert sorted(m["To"] for m in platform.inbox.messages) == [f"u{n}@x.example" for n in range(4)]
    assert len({m["Message-ID"] for m in platform.inbox.messages}) == 4
    assert set(Mail.objects.values_list("state", flat=True)) == {Mail.State.SENT}


def test_queries_do_not_grow_with_letters(platform: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for count in (5, 50):
        Mail.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            assert send(platform, letters(count))["mailed"] == count
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("text", [*rows.HOSTILE, "🎉" * 500_000, "\ud800 lone", "a\x00b"], ids=range(10))
def test_no_text_breaks_out(text: str, platform: Any) -> None:
    letter = Letter(
        "test", "x", "u@x.example", text, (text,), ((text, text),), f"https://x.example/?q={text[:50]}"
    )
    assert send(platform, [letter])["mailed"] == 1
    [message] = platform.inbox.messages
    assert message["Bcc"] is None
    assert len(Mail.objects.get().subject) <= mail.SUBJECT
    assert message["To"] == "u@x.example"
    html = message.get_body(("html",)).get_content()
    tags = Tags()
    tags.feed(html)
    assert set(tags.found) <= ALLOWED
    assert tags.found.count("p") == 2
    assert len(html) < 40_000
    plain = message.get_body(("plain",)).get_content()
    if "<script>" in text:
        assert text in plain
        assert text in tags.text
    if "{{" in text:
        assert "{{ 7|add:7 }}" in tags.text


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b.example\nBcc: c@d.example", "a@b.example, c@d.example"]
)
def test_what_is_no_address_is_refused_and_stays_so(address: str, platform: Any) -> None:
    bad = Letter("test", "x", address, "Subject")
    assert send(platform, [bad, *letters(1)])["mailed"] == 1
    assert Mail.objects.get(state=Mail.State.REFUSED).detail == "no valid address" or "@" in address
    assert len(platform.inbox.messages) == 1 or all("," not in m["To"] for m in platform.inbox.messages)


def test_refused_and_deferred_recipients_do_not_stop_the_others(platform: Any) -> None:
    platform.inbox.refuse = {"u0@x.example": "550 no such user", "u1@x.example": "451 come back later"}
    assert send(platform, letters(4)) == {"mailed": 2, "refused": 1, "deferred": 1}
    platform.inbox.refuse = {}
    assert send(platform, letters(4)) == {"mailed": 1, "refused": 0, "deferred": 0}
    assert Mail.objects.get(state=Mail.State.REFUSED).recipient == "u0@x.example"


def test_a_server_that_hangs_up_is_tried_again_without_doubling(platform: Any) -> None:
    platform.inbox.hang_up_after = 2
    mail.write(letters(5), platform.now)
    with pytest.raises((smtplib.SMTPException, OSError)):
        mail.deliver("test", "me")
    platform.inbox.hang_up_after = None
    send(platform, letters(5), "another")
    assert sorted(m["To"] for m in platform.inbox.messages) == [f"u{n}@x.example" for n in range(5)]


def test_a_worker_killed_while_sending_sends_nothing_twice(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.write(letters(5), platform.now)
    claimed = mail._claim("test", "me", 0, None)

    class Killed(BaseException):
        pass

    def killed_after_two(row: Mail, *given: Any) -> None:
        if len(platform.inbox.messages) == 2:
            raise Killed
        send_one(row, *given)

    send_one = mail._send_one
    with monkeypatch.context() as patched:
        patched.setattr(mail, "_send_one", killed_after_two)
        patched.setattr(mail.Mail.objects, "filter", lambda **_: Mail.objects.none())  # no mark is written
        patched.setattr(mail.cache, "delete_many", lambda keys: None)
        with pytest.raises(Killed):
            mail._send(claimed, {"mailed": 0, "refused": 0, "deferred": 0})
    assert Mail.objects.filter(state=Mail.State.SENDING).count() == 5
    assert mail.deliver("test", "another")["mailed"] == 0  # somebody may still be sending these
    assert mail.deliver("test", "me")["mailed"] == 5
    assert sorted(m["To"] for m in platform.inbox.messages) == [f"u{n}@x.example" for n in range(5)]


def test_claims_of_a_run_that_is_certainly_gone_are_taken_over(platform: Any) -> None:
    mail.write(letters(1), platform.now)
    mail._claim("test", "gone", 0, None)
    Mail.objects.update(held_at=moment() - mail.ABANDONED - timedelta(seconds=1))
    assert mail.deliver("test", "another")["mailed"] == 1


def test_long_keys_stay_apart(platform: Any) -> None:
    about = "x" * 300
    given = [Letter("test", about + end, "u@x.example", "Subject") for end in "ab"]
    assert send(platform, given)["mailed"] == 2
