"""Bad rows beside sound ones: each is shown with its name and what is wrong, and all others are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from click.testing import CliRunner

from tests.bad_rows import BAD, SOUND, plant
from zumolib import control
from zumolib.celery import app as platform
from zumolib.celery import configuration
from zumolib.conf import read
from zumolib.database import orm
from zumolib.frames import schedule
from zumolib.frames.window import Window
from zumolib.platform import installation
from zumolib.schedule import rows

# What other times do not mend.
MESSAGE_IS_BAD = {
    *(
        "python kwargs",
        "list kwargs",
        "object args",
        "text args",
        "deep args",
        "odd headers",
        "broken headers",
    ),
    *("lost queue", "no task", "priority", "expiry", "long expiry", "expires garbage", "expires 13th month"),
    "counted",
}


@pytest.fixture(scope="module")
def app() -> Celery:
    made = Celery("some", set_as_current=False)
    made.conf.update(configuration(read()))
    return made


@pytest.fixture
def planted() -> Iterator[Any]:
    """The manager of a schedule that holds all bad rows and the sound ones."""
    orm.migrate()
    from django.db import connection
    from django_celery_beat.models import PeriodicTask

    def clear() -> None:
        with connection.cursor() as cursor:
            for table in ("periodictask", "crontabschedule", "intervalschedule", "solarschedule"):
                cursor.execute(f"DELETE FROM django_celery_beat_{table}")

    clear()
    plant()
    yield PeriodicTask.objects
    clear()


def test_each_bad_row_is_named_with_what_is_wrong_and_the_sound_ones_are_entries(
    app: Celery, planted: Any
) -> None:
    found = {row.name: row.problem for row in rows.read(app)}
    assert sorted(found) == sorted([*BAD, *SOUND])
    for name, part in BAD.items():
        assert part in found[name], (name, found[name])
    assert {name: found[name] for name in SOUND} == dict.fromkeys(SOUND, "")
    assert not any("39" in text for text in found.values()), "arguments may be secret"


def test_the_list_of_entries_shows_all_of_them(app: Celery, planted: Any) -> None:
    listed = {row["name"]: row for row in installation.rows(app)}
    assert {name for name, row in listed.items() if row["problem"]} == set(BAD)
    assert {name for name, row in listed.items() if row["next_firing"]} == set(SOUND)
    assert listed["blank kwargs"]["kwargs"] == {}
    assert listed["lost queue"]["queue"] == "nowhere"
    json.dumps([row | {"next_firing": None, "last_run_at": None} for row in listed.values()])


def test_the_next_firing_of_an_hourly_entry_is_on_the_hour(app: Celery, planted: Any) -> None:
    [row] = [row for row in installation.rows(app) if row["name"] == "blank kwargs"]
    assert (row["next_firing"].minute, row["next_firing"].second) == (0, 0)


def test_the_command_lists_them_on_a_terminal_and_as_json(planted: Any) -> None:
    from zumolib.cli.schedule import list_

    told = CliRunner().invoke(list_, [])
    assert told.exit_code == 0, told.output
    assert f"{len(BAD)} cannot be sent" in told.output
    assert "never fires" in told.output
    assert "\x1b" not in told.output
    as_json = json.loads(CliRunner().invoke(list_, ["--json"]).output)
    assert {row["name"] for row in as_json if row["problem"]} == set(BAD)


def test_frames_leave_them_out_and_say_so(app: Celery, planted: Any) -> None:
    entries = schedule.entries(app)
    assert set(schedule.bad(entries)["name"]) == set(BAD)
    now = datetime.now(UTC).replace(minute=30)
    window = Window(now, now + timedelta(hours=2))
    found = schedule.firings(entries, window)
    assert set(found["name"]) == {"blank kwargs", "null kwargs", "good"}
    assert "1 with over 3,000,000 firings left out" in schedule.note(entries, window)
    assert f"{len(BAD)} that cannot be sent left out" in schedule.note(entries, window)


def test_the_difference_from_the_code_names_them_as_foreign(planted: Any) -> None:
    assert {d.name for d in installation.drift(())} == {*BAD, *SOUND}


def test_bad_rows_can_be_switched_off_rescheduled_and_switched_on(planted: Any) -> None:
    """All at once: each action takes one row after the other, whatever is wrong with it."""
    off = control.switch.plan(platform, list(BAD), on=False)
    assert all(any(part in caveat for caveat in off.caveats) for part in BAD.values())
    made = control.apply(off, reason="bad", allow=True)
    assert made.state == "done", made.outcome
    assert set(planted.filter(enabled=False).values_list("name", flat=True)) == set(BAD)
    for name in BAD:
        plan = control.reschedule.plan(platform, name, every=300)
        made = control.apply(plan, reason="mend", allow=True)
        assert made.state == "done", (name, made.outcome)
    found = {row.name: row for row in rows.read(platform)}
    assert {found[name].schedule for name in BAD} == {"every 5 minutes"}
    assert {name for name in BAD if found[name].problem} == MESSAGE_IS_BAD
    made = control.apply(control.switch.plan(platform, list(BAD), on=True), reason="mended", allow=True)
    assert made.state == "done", made.outcome


def test_a_panel_shows_the_day_before_and_after(planted: Any) -> None:
    from zumolib.widgets import rescheduling

    for name, most in (("never", 24), ("list kwargs", 0)):
        plan = control.reschedule.plan(platform, name, cron="30 * * * *")
        before, after = rescheduling.firings(platform, plan, zone="UTC")
        assert name not in set(before["name"])
        assert (after["name"] == name).sum() == most, "other times do not mend arguments"


def test_the_proof_of_the_runbook_counts_them(planted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from zumolib.checks import Scene
    from zumolib.runbooks import proof

    monkeypatch.setattr(proof, "LOOP_SECONDS", 0.0)
    bench: Any = SimpleNamespace(app=platform, scene=lambda: Scene(platform))
    assert f"{len(BAD)} entries that cannot be sent" in proof.due(bench)


def test_undo_gives_a_bad_row_its_schedule_back(planted: Any) -> None:
    made = control.apply(
        control.reschedule.plan(platform, "never", cron="0 3 * * *"), reason="mend", allow=True
    )
    assert rows.of(rows.find("never"), platform).problem == ""  # type: ignore[arg-type]
    undone = control.undo(platform, made.id, allow=True)
    assert undone.state == "done", undone.outcome
    assert BAD["never"] in rows.of(rows.find("never"), platform).problem  # type: ignore[arg-type]


def test_a_hostile_name_is_escaped_in_a_table(app: Celery, planted: Any) -> None:
    from zumolib.figures import tables

    page = tables.bad(schedule.bad(schedule.entries(app)))._repr_html_()
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert" in page.replace("<wbr>", "")


def test_the_runbook_of_beat_names_each_of_them(planted: Any) -> None:
    from zumolib.checks import BY_ID, Scene, diagnose

    scene = Scene(platform, now=datetime.now(UTC))
    diagnosis = diagnose(scene, [BY_ID["entry-bad"]])
    assert {finding.subject for finding in diagnosis.findings} == set(BAD)
    one = diagnose(Scene(platform, entry="never"), [BY_ID["entry-bad"]])
    assert [BAD["never"] in finding.saw for finding in one.findings] == [True]
