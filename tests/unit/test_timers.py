"""What a worker's event loop keeps of the time limits of tasks that have ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kombu.asynchronous.hub import Hub
from kombu.asynchronous.timer import Timer

from zumolib.platform import timers


def test_cancelled_timers_leave_and_the_others_fire_in_their_order() -> None:
    timer, fired = Timer(), []
    entries = [timer.call_after(-n, fired.append, (n,)) for n in (1, 4, 2, 5, 3)]
    limits = [timer.call_after(3_300, fired.append, ("limit",)) for _ in range(100)]
    for entry in (entries[1], *limits[:99]):
        entry.cancel()
    assert timers.forget_cancelled(timer) == 100
    assert len(timer) == 5
    for delay, entry in timer:
        if entry is None:
            assert delay is not None
            break
        timer.apply_entry(entry)
    assert fired == [5, 3, 2, 1]
    assert len(timer) == 1


def test_a_round_that_is_a_timer_itself_does_not_disturb_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "SECONDS", 1e-6)
    hub, fired = Hub(timer=Timer()), []
    step = timers.ForgetTimers(SimpleNamespace(steps=[]))
    for _ in range(2):  # a second connection to the broker must not double it
        step.register_with_event_loop(None, hub)
    for _ in range(50):
        hub.call_later(3_300, fired.append, "limit").cancel()
    hub.call_later(-1, fired.append, "due")
    hub.fire_timers(max_timers=3)
    assert fired == ["due"]
    assert len(hub.timer) == 1  # the next round
    hub.close()


def test_every_worker_of_the_app_does() -> None:
    from zumolib.celery import app

    assert "zumolib.platform.timers:ForgetTimers" in app.steps["worker"]
