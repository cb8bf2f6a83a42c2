"""With ZUMO_READ_ONLY on, every way in is tried, and the system is compared before and after.

What is tried is found, not listed: all commands, all panels, all addresses and actions of the admin. One that
is new is tried as well, or fails here because nothing says how.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import click
import ipywidgets
import pytest
import redis
from click.testing import CliRunner

from tests import commands
from tests.commands import LEAVES, UNENDING
from tests.integration.control.conftest import ONE, TWO, System
from zumolib import conf, control, widgets
from zumolib.cli import main, target
from zumolib.cli.effects import Effect, effect
from zumolib.conf import permission
from zumolib.database import orm
from zumolib.errors import ReadOnly
from zumolib.platform import drill, installation

pytestmark = pytest.mark.parametrize("system", ["valkey"], indirect=True)

ENTRY = "read only"
TASK = "tests.sleepy"
TARGET = commands.Target(
    task=TASK, arguments=("0.0",), entry=ENTRY, queue="hr", worker=ONE, scaling=TWO, receipt=""
)


@pytest.fixture
def receipt(system: System, monkeypatch: pytest.MonkeyPatch) -> int:
    """An entry and an action on it that could be undone."""
    monkeypatch.setattr(target, "find_app", lambda name="": system.app)
    monkeypatch.setattr(target, "known_nodes", lambda: list(system.nodes))
    orm.ready()
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    PeriodicTask.objects.filter(name=ENTRY).delete()
    every, _ = IntervalSchedule.objects.get_or_create(every=9, period="hours")
    PeriodicTask.objects.create(name=ENTRY, task=TASK, interval=every, enabled=False)
    return int(control.apply(control.switch.plan(system.app, [ENTRY], on=True)).id)


@pytest.fixture
def read_only(receipt: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The switch, once the system is there."""
    with monkeypatch.context() as patch:
        patch.setenv("ZUMO_READ_ONLY", "true")
        conf.conf.cache_clear()
        yield
    conf.conf.cache_clear()


def state(system: System) -> dict[str, Any]:
    """The database in full, what waits in the broker, and what the workers say of themselves."""
    return {"database": dump()} | {
        "queues": queues(system.url),
        "consumed": {
            node: sorted(queue["name"] for queue in found)
            for node, found in system.ask("active_queues").items()
        },
        "limits": system.ask("registered", "rate_limit", "time_limit", "soft_time_limit"),
        "processes": {node: len(found["pool"]["processes"]) for node, found in system.ask("stats").items()},
        "revoked": system.ask("revoked"),
        "at work": {**system.ask("active"), **system.ask("scheduled")},
    }


def dump() -> list[str]:
    with closing(sqlite3.connect(conf.conf().database_url.removeprefix("sqlite:///"))) as connection:
        return sorted(connection.iterdump())


def queues(url: str) -> dict[str, int]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return {key: client.llen(key) for key in client.scan_iter(_type="list")}


# What a plan of theirs needs is not there; that they refuse is the same call for all that act.
NO_PLAN = {"retry", "resume"}


@pytest.mark.usefixtures("read_only")
def test_no_command_changes_anything(system: System, receipt: int) -> None:
    called = commands.calls(replace(TARGET, receipt=str(receipt)))
    before = state(system)
    wrong = []
    for path, command in LEAVES:
        name = " ".join(path)
        if name in UNENDING:
            assert effect(command) in (Effect.READS, Effect.STARTS), name
            continue
        words = [*path, *called[name], *commands.confirmation(command)]
        done = CliRunner().invoke(main, words, input="kd8-s2jq-w81\n")
        refused = "ZUMO_READ_ONLY is set" in done.output
        if effect(command) is not Effect.READS and name not in NO_PLAN and not (refused and done.exit_code):
            wrong.append(f"{name} is not refused: {done.output} {done.exception!r}")
        if effect(command) is Effect.READS and refused:
            wrong.append(f"{name} is refused: {done.output}")
        if dump() != before["database"]:
            wrong.append(f"{name} wrote")
            break
    assert wrong == []
    assert state(system) == before


def test_every_command_declares_what_it_changes(system: System) -> None:
    assert [" ".join(path) for path, command in LEAVES if effect(command) is None] == []
    assert {" ".join(path) for path, _ in LEAVES} == set(commands.calls(TARGET)) | UNENDING


def test_a_command_that_acts_offers_a_dry_run(system: System) -> None:
    for path, command in LEAVES:
        options = {parameter.name for parameter in command.params if isinstance(parameter, click.Option)}
        if "dry_run" in options:
            assert effect(command) is Effect.ACTS, path


@pytest.mark.usefixtures("read_only")
def test_a_run_on_a_stack_that_is_ready_leaves_out_the_first_day(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What starts the stack and what makes the report have tests of their own."""
    monkeypatch.setattr("zumolib.stack.lifecycle.up", lambda _: SimpleNamespace(jupyter_url="here"))
    monkeypatch.setattr("zumolib.cli.work.make_report", lambda _: SimpleNamespace(path_html="there"))
    before = state(system)
    done = CliRunner().invoke(main, ["run"])
    assert done.exit_code == 0, done.output
    assert "first day   left out: ZUMO_READ_ONLY is set" in done.output
    assert state(system) == before


@pytest.mark.usefixtures("read_only")
def test_the_library_asks_as_well(system: System) -> None:
    before = dump()
    with pytest.raises(ReadOnly):
        installation.install(system.app)
    with pytest.raises(ReadOnly):
        drill.run(system.app, timeout=1, progress=lambda *_: None)
    with pytest.raises(ReadOnly):
        permission.check(True)
    orm.migrate()  # nothing is missing
    assert dump() == before


#   panel: what it is filled with, so that there is something to do
FILLED: dict[str, dict[str, Any]] = {
    "call": {"name": TASK, "arguments": "[0.0]"},
    "revoke": {},
    "retry": {},
    "reschedule": {"entry": ENTRY, "every": "5 min"},
    "entry": {"name": ENTRY, "action": "disable"},
    "queue": {"name": "hr", "action": "pause"},
    "limits": {"task": TASK, "rate": "1/h"},
    "pool": {"worker": ONE, "action": "grow"},
    "receipts": {},
}
PLANNED = {"call", "reschedule", "entry", "queue", "limits", "pool"}


def buttons(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Button]:
    if isinstance(widget, ipywidgets.Button):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from buttons(child)


@pytest.mark.usefixtures("read_only")
def test_no_panel_changes_anything(system: System) -> None:
    assert set(widgets.__all__) == set(FILLED) | {"table"}
    before = state(system)
    for name, filled in FILLED.items():
        panel = getattr(widgets, name)(app=system.app, **filled)
        panel.look()
        assert (panel.plan is not None) == (name in PLANNED), (name, panel._message.value)
        for button in list(buttons(panel.box)):
            button.click()
        panel.look()
        panel._confirm.disabled = False  # as if a page were older than the switch
        panel.apply()
        assert dump() == before["database"], name
    assert state(system) == before


def addresses(entry: int) -> list[str]:
    """Every address of the site, with the key of an entry where one is asked for."""
    from django.urls import get_resolver

    found: list[str] = []

    def walk(patterns: Any, before: str) -> None:
        for pattern in patterns:
            path = before + str(pattern.pattern).replace("^", "").replace("$", "")
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns, path)
            else:
                found.append("/" + path)

    walk(get_resolver().url_patterns, "")
    keys = {"<path:object_id>": str(entry), "<int:content_type_id>": "1", "<id>": "1"}
    for key, value in keys.items():
        found = [address.replace(key, value) for address in found]
    return [address for address in found if "(?P" not in address and "<" not in address]


@pytest.fixture
def pages(receipt: int) -> Iterator[Any]:
    """A superuser's browser."""
    conf.use_django()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    user = get_user_model().objects.create_superuser("pages", password="kd8-s2jq-w81")
    client = Client(SERVER_NAME=settings.ALLOWED_HOSTS[0].lstrip("."))
    client.force_login(user)
    yield client
    user.delete()


def actions() -> list[tuple[str, str]]:
    """Address of a model's list in the admin, and the name of each action there."""
    from django.contrib import admin
    from django.urls import reverse

    return [
        (reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), name)
        for model, shown in admin.site._registry.items()
        for _, name, _ in shown._get_base_actions()
    ]


def test_the_admin_acts_without_the_switch(system: System, pages: Any) -> None:
    """What the next tests find unchanged can be changed this way."""
    from django_celery_beat.models import PeriodicTask

    row = PeriodicTask.objects.get(name=ENTRY)
    assert row.enabled
    form = {"action": "disable_tasks", "_selected_action": [row.pk]}
    assert pages.post("/admin/django_celery_beat/periodictask/", form).status_code == 302
    assert not PeriodicTask.objects.get(name=ENTRY).enabled


def test_no_address_and_no_action_changes_anything(
    system: System, pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django_celery_beat.models import PeriodicTask

    pk = PeriodicTask.objects.get(name=ENTRY).pk
    monkeypatch.setenv("ZUMO_READ_ONLY", "true")
    conf.conf.cache_clear()
    before = state(system)
    found = addresses(pk)
    assert f"/admin/django_celery_beat/periodictask/{pk}/delete/" in found
    for address in found:
        if address in ("/admin/login/", "/admin/logout/"):
            continue
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(pages, method)(address, {"post": "yes"} if method == "post" else None)
            assert answer.status_code == 403, (method, address)
            assert b"ZUMO_READ_ONLY is set" in answer.content
        pages.get(address)
    named = actions()
    assert {"run_tasks", "disable_tasks", "delete_selected"} <= {name for _, name in named}
    for address, name in named:
        form = {"action": name, "_selected_action": [pk], "post": "yes"}
        assert pages.post(address, form).status_code == 403, (address, name)
    assert state(system) == before
    monkeypatch.undo()
    conf.conf.cache_clear()


def test_the_admin_shows_and_offers_nothing(
    system: System, pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django_celery_beat.models import PeriodicTask

    pk = PeriodicTask.objects.get(name=ENTRY).pk
    with monkeypatch.context() as patch:
        patch.setenv("ZUMO_READ_ONLY", "true")
        conf.conf.cache_clear()
        listed = pages.get("/admin/django_celery_beat/periodictask/").content.decode()
        one = pages.get(f"/admin/django_celery_beat/periodictask/{pk}/change/").content.decode()
        adding = pages.get("/admin/django_celery_beat/periodictask/add/")
    conf.conf.cache_clear()
    assert ENTRY in listed
    assert ENTRY in one
    assert 'name="_save"' not in one
    assert "addlink" not in listed
    assert adding.status_code == 403
