"""The panel that revokes: what it asks for, and what it does not do by itself."""

from __future__ import annotations

from celery import Celery

from zumolib import widgets


def test_a_signal_is_asked_for_only_where_one_would_be_sent(app: Celery) -> None:
    panel = widgets.revoke(app=app)
    assert panel.form["terminate"].control.value is False
    assert panel.form["signal"].box.layout.display == "none"
    assert "signal" not in (panel.values() or {})
    panel._later.forget()
    panel.form["terminate"].control.value = True
    assert panel.form["signal"].box.layout.display is None
