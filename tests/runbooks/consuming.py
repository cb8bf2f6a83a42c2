"""Workers that consume from too little, know too little, or may not run what they hold."""

from __future__ import annotations

from typing import Any

from tests.runbooks.deployments import PLAIN, Deployment, Full
from tests.waiting import wait_until


def other_queues(d: Any) -> None:
    """Only `emails` and `payments` are consumed, without a receipt."""
    for queue in sorted(d.consumed() - {"emails", "payments"}):
        d.app.control.cancel_consumer(queue, reply=True, timeout=1.0, destination=[d.node])
    assert d.consumed() == {"emails", "payments"}


def started_with_other_queues(d: Full) -> None:
    d.restart("worker", "-Q", "emails,payments")
    d.wait_for_worker()


def all_consumed(d: Deployment) -> bool:
    return d.consumed() == set(d.app.amqp.queues)


def pause(d: Any) -> None:
    d.driver.do(
        "from zumolib import control, runbooks\n"
        "app = runbooks.bind().app\n"
        "control.apply(control.pause.plan(app, 'hr'), reason='planted')"
    )
    assert "hr" not in d.consumed()


def older_worker(d: Full) -> None:
    d.restart("worker", "-I", "tests.runbooks.leaky", app="zumolib")
    d.wait_for_worker()


def newer_worker(d: Full) -> None:
    d.restart("worker")
    d.wait_for_worker()


def late_is_registered(d: Full) -> bool:
    return "tests.late" in str(d.inspect().registered()[d.node])


held: list[Any] = []


def limit(d: Any) -> None:
    """A rate set while the worker runs, and calls that it holds."""
    d.app.control.rate_limit(PLAIN, "1/h", destination=[d.node], reply=True, timeout=1.0)
    held[:] = [d.app.send_task(PLAIN) for _ in range(4)]
    wait_until(lambda: sum(call.state == "SUCCESS" for call in held) == 1, 20, "the one that may run")


def held_ran(d: Any) -> bool:
    app = d.app
    return all(app.AsyncResult(call.id).get(timeout=60)["status"] == "ok" for call in held)
