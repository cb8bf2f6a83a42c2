"""What is shown of a task that was followed to its end."""

from __future__ import annotations

from celery import Celery

from zumolib.control.following import follow


def test_neither_a_traceback_nor_an_error_shows_a_secret() -> None:
    app = Celery("some", set_as_current=False, backend="cache+memory://")
    error = ValueError("redis://:hunter2@h does not answer")
    trace = "  File 'a.py', line 1, in f\nValueError: redis://:hunter2@h does not answer"
    app.backend.mark_as_failure("1", error, traceback=trace)
    found = follow(app, "1", timeout=5)
    assert found.traceback == trace.replace("hunter2", "***")
    assert found.text == "ValueError: redis://:***@h does not answer"
    assert "hunter2" not in repr(found)
