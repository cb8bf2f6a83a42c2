"""Live depth, asked from a real broker."""

from __future__ import annotations

from celery import Celery

from zumolib.frames import queues


def test_live_depth_counts_what_waits(broker: str) -> None:
    app = Celery("depth", broker=broker, set_as_current=False)
    app.conf.task_queues = None
    app.conf.task_default_queue = "live-depth"
    with app.connection_for_write() as connection:
        queue = next(iter(app.amqp.queues.values()))
        queue(connection.default_channel).declare()
        queue(connection.default_channel).purge()
    for _ in range(3):
        app.send_task("nobody.runs.this")
    try:
        frame = queues.live(app).set_index("queue")
        assert frame.loc["live-depth", "ready"] == 3
    finally:
        app.control.purge()
        app.close()
