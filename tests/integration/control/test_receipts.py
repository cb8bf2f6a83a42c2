"""Receipts only grow, are shown in the admin, and actions are refused where they are not wanted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
import papermill
import pytest
from celery import Celery

from tests.integration.workers import make_app
from zumolib import conf as settings
from zumolib import control
from zumolib.conf import Conf
from zumolib.database import orm
from zumolib.errors import ControlError, InputError, ReadOnly
from zumolib.receipts import book


@pytest.fixture
def app(valkey_url: str) -> Iterator[Celery]:
    made = make_app(f"{valkey_url}/8", valkey_url)
    made.loader.import_default_modules()
    yield made
    made.control.purge()


def test_a_receipt_says_who_when_why_and_what(app: Celery) -> None:
    receipt = control.apply(
        control.call.plan(app, "tests.sleepy", [1.0]), reason="needed today", actor="an operator"
    )
    assert book.read(receipt.id) == receipt
    assert (receipt.actor, receipt.reason, receipt.action, receipt.target) == (
        *("an operator", "needed today", "call", "tests.sleepy"),
    )
    assert receipt.finished_at is not None
    assert receipt.started_at <= receipt.finished_at
    listed = book.latest(limit=1).to_dict("records")[0]
    assert (listed["id"], listed["undo"], listed["state"]) == (receipt.id, receipt.how_to_undo, "done")
    assert control.apply(control.call.plan(app, "tests.sleepy")).actor == settings.person()


def test_receipts_are_filtered(app: Celery) -> None:
    control.apply(control.call.plan(app, "tests.login", ["a", "b"]))
    assert set(book.latest(action="call", target="login")["target"]) == {"tests.login"}
    assert book.latest(action="no such").empty
    assert list(book.latest(action="no such").columns) == list(book.COLUMNS)
    with pytest.raises(InputError, match="there is no receipt 999999999; `zumo actions` lists them"):
        book.read(999_999_999)


def test_nobody_changes_or_deletes_a_receipt(app: Celery) -> None:
    receipt = control.apply(control.call.plan(app, "tests.sleepy"))
    from zumolib.receipts.models import Receipt as Row

    row = Row.objects.get(pk=receipt.id)
    row.reason = "another"
    for change in (
        row.save,
        row.delete,
        lambda: Row.objects.filter(pk=receipt.id).update(reason="another"),
        lambda: Row.objects.all().delete(),
        lambda: Row.objects.bulk_update([row], ["reason"]),
    ):
        with pytest.raises(ControlError, match=r"not (changed|deleted)"):
            change()
    assert not Row.objects.close(receipt.id, state="failed"), "what has ended is not written again"
    assert book.read(receipt.id) == receipt


@pytest.mark.filterwarnings("ignore:No directory at")  # of static files, which this test needs none of
def test_receipts_are_kept_for_their_time(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older goes at the next action, but for what a younger one took back."""
    from zumolib.receipts.models import Receipt

    now = datetime.now(UTC)

    def made(days: float, undoes: int | None = None) -> int:
        row = Receipt.objects.create(
            plan=uuid4(), action="call", target="a.b", summary="call a.b", actor="ann", process="here:1",
            started_at=now - timedelta(days=days), undoes_id=undoes,
        )  # fmt: skip
        return int(row.pk)

    young, middle = made(1), made(20)
    taken_back = made(40)
    takes_back = made(2, undoes=taken_back)
    old, old_too = made(31), made(33)
    old_pair = made(35, undoes=old_too)
    settings.conf.cache_clear()
    monkeypatch.setenv("ZUMO_RECEIPT_DAYS", "30")
    try:
        control.apply(control.call.plan(app, "zumodra.celery.debug_task"))
    finally:
        settings.conf.cache_clear()
    left = set(
        Receipt.objects.filter(
            pk__in=[young, middle, taken_back, takes_back, old, old_too, old_pair]
        ).values_list("pk", flat=True)
    )
    assert left == {young, middle, taken_back, takes_back}


def test_the_admin_shows_receipts_and_lets_nobody_write_them(app: Celery) -> None:
    receipt = control.apply(control.call.plan(app, "tests.sleepy"), reason="<b>hostile</b>")
    orm.ready()
    from django.contrib.auth.models import User
    from django.test import Client

    User.objects.filter(username="boss").delete()
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("boss", "boss@zumodra.example", "x"))
    listed = client.get("/admin/receipts/receipt/")
    assert listed.status_code == 200
    assert "&lt;b&gt;hostile&lt;/b&gt;" in listed.content.decode()
    page = f"/admin/receipts/receipt/{receipt.id}/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, {"reason": "another"}).status_code == 403
    assert client.get("/admin/receipts/receipt/add/").status_code == 403
    assert client.post(f"/admin/receipts/receipt/{receipt.id}/delete/", {"post": "yes"}).status_code == 403


# what a receipt of before the record said, and what the record says
BEFORE = [(True, "verified"), (False, "not verified"), (None, "unknown")]


@pytest.mark.parametrize(("verified", "verdict"), BEFORE)
def test_what_earlier_receipts_say_is_carried_over(verified: bool | None, verdict: str) -> None:
    orm.ready()
    from datetime import UTC, datetime
    from uuid import uuid4

    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    executor.migrate([("receipts", "0001_initial")])
    try:
        old = executor.loader.project_state(("receipts", "0001_initial")).apps.get_model(
            "receipts", "Receipt"
        )
        now = datetime.now(UTC)
        pk = old.objects.create(
            plan=uuid4(), action="old", state="done", verified=verified, started_at=now, finished_at=now
        ).pk
    finally:
        MigrationExecutor(connection).migrate([("receipts", "0002_observation")])
    checked = book.read(pk).checked
    assert (checked.verdict, checked.at) == (verdict, now)


def test_an_undo_without_a_way_back_gives_the_reason_and_what_was_done(app: Celery) -> None:
    from zumolib.control import by_hand

    plan = by_hand.plan(app, "broker", "start it", done=lambda: True, patience=1)
    receipt = control.apply(plan)
    with pytest.raises(
        InputError, match=r"\(by hand, done\) cannot be undone; a person did it.*what was done: seen"
    ):
        control.undo(app, receipt.id)
    assert receipt.how_to_undo.startswith("cannot be undone: a person did it")


def test_the_same_words_everywhere(app: Celery) -> None:
    app.send_task("tests.sleepy", queue="hr")
    receipt = control.apply(control.purge.plan(app, "hr"))
    words = str(receipt.checked)
    assert words.startswith(
        "verified: the broker counted 1 message as purged, and the queue is empty (looked at "
    )
    assert words.endswith(" UTC); until the next message comes")
    assert book.latest(limit=1)["checked"][0] == words
    from zumolib.receipts.models import Receipt as Row
    from zumolib.widgets import outcome

    assert str(Row.objects.get(pk=receipt.id).checked) == words
    page = outcome.page(receipt, zone="UTC")
    assert f"<dd>{words}</dd>" in page
    assert "✓" in page


@pytest.mark.parametrize("verdict", ["not verified", "unknown"])
def test_what_was_not_seen_has_no_sign_of_success(app: Celery, verdict: str) -> None:
    from dataclasses import replace

    from zumolib.widgets import outcome

    done = control.apply(control.call.plan(app, "tests.sleepy"))
    page = outcome.page(replace(done, checked=control.Observation(verdict, "it is still there")), zone="UTC")
    assert f"{verdict}: it is still there" in page
    assert "✓" not in page
    assert "zumo-good" not in page


def test_the_models_and_the_migrations_agree() -> None:
    orm.ready()
    from django.core.management import call_command

    call_command("makemigrations", "receipts", check=True, dry_run=True, verbosity=0)


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: Conf = settings.read(ZUMO_READ_ONLY=True)
    monkeypatch.setattr("zumolib.conf.permission.conf", lambda: frozen)


def plans(app: Celery) -> list[Any]:
    """One plan of each kind that needs no worker."""
    orm.ready()
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    interval, _ = IntervalSchedule.objects.get_or_create(every=5, period="minutes")
    PeriodicTask.objects.update_or_create(
        name="kept", defaults={"task": "tests.sleepy", "interval": interval, "enabled": True}
    )
    app.send_task("tests.sleepy", queue="hr")
    return [
        control.call.plan(app, "tests.sleepy"),
        control.run_now.plan(app, "kept"),
        control.reschedule.plan(app, "kept", every=60),
        control.switch.plan(app, "kept", on=False),
        control.purge.plan(app, "hr"),
        control.revoke.plan(app, ["some-task"], anyway=True),
    ]


def test_read_only_refuses_every_action_and_still_plans(app: Celery, read_only: None) -> None:
    count = len(book.latest(limit=10_000))
    for plan in plans(app):
        assert not plan.preview.empty
        for allow in (None, True):
            with pytest.raises(ReadOnly, match=r"ZUMO_READ_ONLY is set.*unset it to act"):
                control.apply(plan, allow=allow)
    assert len(book.latest(limit=10_000)) == count, "what is refused leaves no receipt"
    from django_celery_beat.models import PeriodicTask

    row = PeriodicTask.objects.get(name="kept")
    assert (row.enabled, row.interval.every) == (True, 5)
    row.delete()


def test_an_undo_is_refused_when_read_only(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    reschedule = plans(app)[2]
    receipt = control.apply(reschedule)
    frozen = settings.read(ZUMO_READ_ONLY=True)
    with monkeypatch.context() as patch:
        patch.setattr("zumolib.conf.permission.conf", lambda: frozen)
        with pytest.raises(ReadOnly):
            control.undo(app, receipt.id)
    with pytest.raises(ReadOnly, match="allow=False"):
        control.undo(app, receipt.id, allow=False)
    assert control.undo(app, receipt.id).ok


NOTEBOOK = """
import os
from zumolib.conf import permission
from zumolib.errors import ReadOnly

def outcome(allow=None):
    try:
        permission.check(allow)
    except ReadOnly as error:
        return str(error)
    return "allowed"

print(outcome())
print(outcome(True))
os.environ["JPY_SESSION_NAME"] = "control.ipynb"
print(outcome())
"""


def test_a_notebook_that_runs_by_itself_is_read_only_unless_told_otherwise(tmp_path: Path) -> None:
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    cells = [nbformat.v4.new_code_cell(NOTEBOOK)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), source)
    ran = papermill.execute_notebook(str(source), str(target), progress_bar=False, kernel_name="python3")
    by_itself, told, with_a_person = ran.cells[-1]["outputs"][0]["text"].splitlines()
    assert by_itself.startswith("this notebook runs without a person before it")
    assert "pass allow=True" in by_itself
    assert (told, with_a_person) == ("allowed", "allowed")
