"""When entries are due: what a person writes, what it says, and Celery's own crontab as the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab

from zumolib.errors import InputError
from zumolib.schedule.when import FIELDS, When

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)

# what was written, what the one-line error says
WRONG = [
    ({}, "give one of"),
    ({"cron": "* * * * *", "every": 5}, "give one of"),
    ({"cron": "* * * *"}, r"'\* \* \* \*' has 4 fields; a crontab has five"),
    ({"cron": ""}, "has 0 fields"),
    ({"cron": "61 * * * *"}, "61"),
    ({"cron": "a b c d e"}, "a"),
    ({"cron": "*/0 * * * *"}, r"\*/0"),
    ({"cron": "0 0 31 2 *"}, "'0 0 31 2 \\*' is no crontab: .* never occurs"),
    ({"cron": "0 0 * * *", "zone": "Mars/Base"}, "'Mars/Base' is no time zone"),
    ({"cron": "0 0 * * *", "zone": "../etc/passwd"}, "is no time zone"),
    ({"every": 0}, "every=0"),
    ({"every": -5}, "every=-5"),
    ({"every": 1.5}, "every=1.5"),
    ({"every": float("nan")}, "every=nan"),
    ({"every": float("inf")}, "every=inf"),
    ({"every": 1e12}, "every="),
]


@pytest.mark.parametrize(("written", "error"), WRONG)
def test_what_is_wrong_is_named_in_one_line(written: dict[str, object], error: str) -> None:
    with pytest.raises(InputError, match=error) as caught:
        When.written(**written)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


# what was written, as a person says it, as it is kept
TEXTS = [
    ({"cron": "30 2 * * *"}, "At 02:30 (UTC)", "30 2 * * * (UTC)"),
    (
        {"cron": " 0  9 * * mon-fri", "zone": "Europe/Paris"},
        "At 09:00, Monday through Friday (Europe/Paris)",
        "0 9 * * mon-fri (Europe/Paris)",
    ),
    ({"every": 1}, "every second", "every second"),
    ({"every": 60}, "every minute", "every minute"),
    ({"every": 90}, "every 90 seconds", "every 90 seconds"),
    ({"every": 7200}, "every 2 hours", "every 2 hours"),
    ({"every": 86_400}, "every day", "every day"),
]


@pytest.mark.parametrize(("written", "text", "kept"), TEXTS)
def test_texts(written: dict[str, object], text: str, kept: str) -> None:
    when = When.written(**written)  # type: ignore[arg-type]
    assert when.text == text
    assert str(when) == kept
    assert When.from_json(when.to_json()) == when


CRONS = ["* * * * *", "*/7 3-5 * * *", "0 4 1,15 * *", "15 10 13 * 5", "0 0 29 2 *", "30 2 * * sun"]


@pytest.mark.parametrize("cron", CRONS)
def test_firings_are_those_of_celerys_crontab(cron: str) -> None:
    found = When.written(cron=cron).next(10, now=NOW)
    fields = dict(zip(FIELDS, cron.split(), strict=True))
    at = NOW
    oracle = crontab(**fields, nowfun=lambda: at)
    expected = []
    for _ in range(10):
        at += oracle.remaining_estimate(at)
        at = at.replace(microsecond=0)
        expected.append(at)
    # A leap day comes three times within the ten years that are looked through.
    count = 3 if cron == "0 0 29 2 *" else 10
    assert [moment.to_pydatetime() for moment in found["at"]] == expected[:count]


def test_daylight_saving_is_shown() -> None:
    before_spring = datetime(2027, 3, 26, 12, tzinfo=UTC)
    found = When.written(cron="30 2 * * *", zone="Europe/Paris").next(
        4, now=before_spring, zone="Europe/Paris"
    )
    assert list(found["local"]) == [
        "Sat 2027-03-27 02:30:00",
        "Sun 2027-03-28 03:30:00",  # 02:30 is missing on this day
        "Mon 2027-03-29 02:30:00",
        "Tue 2027-03-30 02:30:00",
    ]
    assert list(found["offset"]) == ["+01:00", "+02:00", "+02:00", "+02:00"]
    assert list(found["note"]) == ["", "clocks have gone forward", "", ""]
    before_autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    found = When.written(cron="30 2 * * *", zone="Europe/Paris").next(
        3, now=before_autumn, zone="America/New_York"
    )
    assert list(found["note"]) == ["", "", ""], "New York's clocks go back a week later"
    found = When.written(cron="30 2 * * *", zone="Europe/Paris").next(
        3, now=before_autumn, zone="Europe/Paris"
    )
    assert next(iter(found["local"])) == "Sun 2026-10-25 02:30:00"
    assert "clocks have gone back" in list(found["note"])


def test_an_interval_counts_from_its_last_dispatch() -> None:
    every = When.written(every=600)
    found = every.next(3, now=NOW, anchor=NOW - timedelta(seconds=240))
    assert [at - NOW for at in found["at"]] == [timedelta(seconds=s) for s in (360, 960, 1_560)]
    assert every.next(1, now=NOW)["at"][0] == NOW + timedelta(seconds=600)


def test_what_follows_the_sun_has_no_times_here() -> None:
    sun = When(other={"kind": "solar", "id": 1, "text": "sunset"})
    assert sun.next(10, now=NOW).empty
    assert sun.text == "sunset"


def test_local_times_are_those_of_the_zone_shown() -> None:
    found = When.written(cron="0 12 * * *").next(1, now=NOW, zone="Asia/Kolkata")
    assert list(found["local"]) == ["Mon 2026-11-23 17:30:00"]
    assert found["at"][0] == datetime(2026, 11, 23, 17, 30, tzinfo=ZoneInfo("Asia/Kolkata"))
