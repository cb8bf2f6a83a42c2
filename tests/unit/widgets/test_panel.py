from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from celery import Celery

from tests.unit.widgets.plans import Count, count
from zumolib.errors import BrokerError, InputError
from zumolib.receipts import book
from zumolib.widgets import fields
from zumolib.widgets.fields import Form
from zumolib.widgets.panel import Panel


class Counting(Panel):
    """A panel over :class:`Count`: so many names, `breaks_at` one of them."""

    def __init__(self, app: Celery, number: str = "3", *, breaks_at: str = "") -> None:
        self.made: list[Count] = []
        form = Form(
            [
                fields.text("number", "Number", value=number, read=self._whole),
                fields.choice("step", "Step", {"as it is": None, "one": 1}),
            ]
        )

        def planner(values: dict[str, Any]) -> Count:
            if values["number"] > 100:
                raise InputError(f"number={values['number']}: 100 at most")
            if values["number"] == 99:
                raise BrokerError("the <b>broker</b> does not answer; start it")
            if values["number"] == 98:
                raise RuntimeError("a bug")
            if values["number"] == 97:
                raise RuntimeError("no answer of amqp://u:hunter2@h")
            names = [f"n{n}" for n in range(values["number"])] if self.there is None else self.there
            self.made.append(count(self.app, names, breaks_at=breaks_at))
            return self.made[-1]

        self.there: list[str] | None = None  # names that a test changes beneath the panel
        super().__init__("Count", form, planner, app=app)

    @staticmethod
    def _whole(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise InputError(f"{text!r} is no whole number; write it like 3") from None

    def enter(self, text: str) -> None:
        self.form["number"].control.value = text

    @property
    def done(self) -> list[str]:
        return [name for made in self.made for name in made.done]

    @property
    def message(self) -> str:
        return str(self._message.value)

    @property
    def note(self) -> str:
        return str(self.form["number"]._note.value)

    @property
    def off(self) -> bool:
        return bool(self._confirm.disabled)

    @property
    def receipt(self) -> str:
        return "".join(getattr(part, "value", "") for part in self._outcome.box.children)


def test_nothing_can_be_confirmed_before_the_preview_is_seen(app: Celery) -> None:
    panel = Counting(app)
    assert panel.off
    panel.look()
    assert not panel.off
    assert panel._confirm.description == "Count 3 names"
    texts = "".join(part.value for part in panel.preview.box.children)
    assert all(f"n{n}" in texts for n in range(3))
    assert "it may miscount" in texts


def test_a_preview_that_may_not_hold_any_more_fades(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Counting(app)
    panel.look()
    monkeypatch.setattr(panel._later, "ask", lambda: None)  # somebody is still typing
    panel.enter("2")
    assert "zumo-stale" in panel.preview.box._dom_classes
    assert panel.preview.box.children
    assert panel.off
    panel.look()
    assert "zumo-stale" not in panel.preview.box._dom_classes


#   entered    beside the field                                below the form
WRONG = [
    ("three", "&#x27;three&#x27; is no whole number; write it like 3", "Correct what is marked"),
    ("101", "number=101: 100 at most", "Correct what is marked"),
    ("99", "", "the &lt;b&gt;broker&lt;/b&gt; does not answer"),
    ("98", "", "RuntimeError: a bug"),
    ("97", "", "RuntimeError: no answer of amqp://u:***@h"),
    ("0", "", "Nothing to do: count 0 names"),
]


@pytest.mark.parametrize(("text", "beside", "below"), WRONG)
def test_what_is_wrong_is_said_and_the_button_goes_off(
    app: Celery, text: str, beside: str, below: str
) -> None:
    panel = Counting(app)
    panel.look()
    panel.enter(text)
    assert beside in panel.note
    assert panel.form["number"].wrong is bool(beside)
    assert below in panel.message
    assert panel.off
    panel.enter("2")
    assert not panel.form["number"].wrong
    assert not panel.off


def test_what_was_confirmed_is_done_once_and_leaves_a_receipt(app: Celery) -> None:
    panel = Counting(app)
    panel.look()
    panel._reason.value = "for the <i>test</i>"
    panel.apply()
    panel.apply()
    assert panel.done == ["n0", "n1", "n2"]
    assert panel.off
    latest = book.latest(limit=1).iloc[0]
    assert (latest["state"], latest["reason"], latest["affected_count"]) == ("done", "for the <i>test</i>", 3)
    assert f'data-receipt="{latest["id"]}"' in panel.receipt
    assert "for the &lt;i&gt;test&lt;/i&gt;" in panel.receipt
    assert "<dd>verified: all names were counted (looked at " in panel.receipt
    assert "zumo-good" in panel.receipt


def test_what_changed_beneath_a_preview_is_listed_before_anything_is_sent(app: Celery) -> None:
    panel = Counting(app)
    panel.look()
    panel.there = ["n0", "n2", "new"]
    panel.apply()
    assert panel.done == []
    assert "since the preview 1 row left the list and 1 row came. Press again" in panel.message
    listed = panel.preview.box.children[0].value
    assert all(text in listed for text in ("left the list", ">n1<", "came", ">new<"))
    assert panel._confirm.description == "Count 3 names"
    panel.apply()
    assert panel.done == ["n0", "n2", "new"]
    assert not any("zumo-changes" in part._dom_classes for part in panel.preview.box.children)  # it was read


def test_a_comparison_serves_for_a_moment_only(app: Celery) -> None:
    panel = Counting(app)
    panel.look()
    panel.there = ["n0", "n1"]
    panel.apply()
    assert "1 row left the list" in panel.message
    panel._compared_at -= 3_600  # the person was away for an hour
    panel.there = ["n1", "later"]
    panel.apply()
    assert panel.done == []
    assert "1 row left the list and 1 row came" in panel.message
    panel.apply()
    assert panel.done == ["n1", "later"]


def test_when_nothing_is_left_beneath_a_preview_the_button_goes_off(app: Celery) -> None:
    panel = Counting(app)
    panel.look()
    panel.there = []
    panel.apply()
    panel.apply()
    assert panel.done == []
    assert panel.off
    assert panel._confirm.description == "Nothing to do yet"
    assert "Nothing is left to do: 3 rows left the list" in panel.message


def test_a_button_that_is_off_names_no_earlier_action(app: Celery) -> None:
    panel = Counting(app)
    panel.look()
    panel.enter("three")
    assert panel._confirm.description == "Nothing to do yet"
    assert panel._confirm.button_style == ""


def test_a_preview_has_no_filter_of_its_own(app: Celery) -> None:
    panel = Counting(app, "30")
    panel.look()
    [table] = [part for part in panel.preview.box.children if hasattr(part, "_dt_args")]
    assert table._dt_args["layout"]["topEnd"] is None


def test_an_action_that_breaks_off_shows_its_receipt_and_the_reason(app: Celery) -> None:
    panel = Counting(app, breaks_at="n1")
    panel.look()
    panel.apply()
    assert panel.done == ["n0"]
    assert "the broker is gone; start it" in panel.receipt
    assert "zumo-fair" in panel.receipt  # done in part


def test_where_actions_are_refused_the_preview_is_all_there_is(app: Celery, read_only: None) -> None:
    panel = Counting(app)
    panel.look()
    assert panel.off
    assert "Read-only: ZUMO_READ_ONLY is set" in panel.message
    assert "unset it to act" in panel.message
    panel.apply()
    assert panel.done == []
    html, text = panel.static()
    assert "n2" in html
    assert "Not done: ZUMO_READ_ONLY is set" in text


def test_the_kernel_goes_on_while_work_is_done_and_a_cancel_is_heeded(app: Celery) -> None:
    panel = Counting(app)
    begun, go_on = threading.Event(), threading.Event()

    def slow(run: Any) -> None:
        run.step("n0", "counted")
        begun.set()
        assert go_on.wait(10)
        run.heed()

    async def person() -> None:
        panel.look()
        while panel.off:
            await asyncio.sleep(0.01)
        object.__setattr__(panel.plan, "carry_out", slow)
        panel.apply()
        while not begun.is_set():  # this loop is the kernel's: it runs, though the action does not end
            await asyncio.sleep(0.01)
        assert panel.busy
        panel.enter("5")
        assert panel.off
        panel._cancel.click()
        go_on.set()
        while panel.busy:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(person(), 20))
    assert book.latest(limit=1).iloc[0]["state"] == "cancelled"
    assert "cancelled" in panel.receipt


def test_typing_plans_once_when_it_ends(app: Celery) -> None:
    panel = Counting(app)

    async def person() -> None:
        for text in ("1", "12", "1", "14"):
            panel.enter(text)
        assert panel.off
        while panel.off:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(person(), 20))
    assert [len(plan.names) for plan in panel.made] == [14]
