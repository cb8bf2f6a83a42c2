"""Faults, each planted for real: what the runbook must say, and what Celery or the broker says afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from tests.runbooks.deployments import Deployment, Embedded, Full
from tests.waiting import wait_until

ENTRY = "cleanup-expired-sessions"
TYPO = "tests.mispelt"
PLAIN = "zumodra.celery.debug_task"


def nothing(d: Any) -> None:
    """Nothing to do."""


@dataclass(frozen=True)
class Fault:
    """One trouble."""

    name: str
    runbook: str
    verdict: str  # that the diagnosis must give, whole
    plant: Callable[[Any], None]
    over: Callable[[Any], bool]  # as Celery or the broker themselves say
    on: tuple[type, ...] = (Embedded, Full)
    by_hand: Callable[[Any], None] | None = None  # what the person does on a deployment of their own
    parameters: dict[str, Any] = field(default_factory=dict)
    briefly: dict[str, Any] = field(default_factory=dict)  # parameters of a run that finds nothing to do
    meanwhile: Callable[[Any], AbstractContextManager[None]] = (
        nullcontext  # work that goes on during the diagnosis
    )
    clear: Callable[[Any], None] = nothing  # what the cure rightly leaves
    kernel: bool = True  # is also tried by nbval


def stop_broker(d: Any) -> None:
    d.stop("broker")


def start_broker(d: Full) -> None:
    d.rabbit.start()


def answers(d: Deployment) -> bool:
    return bool(wait_until(d.inspect().ping, 60, "an answer to Celery's ping"))


def wrong_password(d: Any) -> None:
    if isinstance(d, Full):
        d.rabbitmqctl("change_password", "guest", "another")
        return
    server = d.results
    server.config_set("requirepass", "another")
    server.config_rewrite()  # into its file too
    server.client_kill_filter(_type="normal", skipme=True)


def right_password(d: Full) -> None:
    d.rabbitmqctl("change_password", "guest", "guest")


def refuse_vhost(d: Full) -> None:
    d.rabbitmqctl("clear_permissions", "-p", "/", "guest")


def allow_vhost(d: Full) -> None:
    d.rabbitmqctl("set_permissions", "-p", "/", "guest", ".*", ".*", ".*")


def stop_worker(d: Any) -> None:
    d.stop("worker")


def start_worker(d: Full) -> None:
    d.start("worker")


def stop_results(d: Full) -> None:
    d.stop("results")


def start_results(d: Full) -> None:
    d.server.start()


def run_a_task(d: Deployment) -> bool:
    """A call goes all the way to its result."""
    return bool(d.app.send_task(PLAIN).get(timeout=60)["status"] == "ok")


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


def send_unknown_entry(d: Any) -> None:
    d.driver.do(
        "from django_celery_beat.models import IntervalSchedule, PeriodicTask\n"
        "often, _ = IntervalSchedule.objects.get_or_create(every=1, period='hours')\n"
        f"PeriodicTask.objects.update_or_create(name='planted', defaults=dict(task={TYPO!r}, interval=often, "
        "enabled=True))"
    )


def unknown_entry_is_off(d: Any) -> bool:
    return not d.driver.do(
        "from django_celery_beat.models import PeriodicTask\n"
        "value = PeriodicTask.objects.enabled().filter(name='planted').exists()"
    )


def remove_unknown_entry(d: Any) -> None:
    d.driver.do(
        "from django_celery_beat.models import PeriodicTask\nPeriodicTask.objects.filter(name='planted').delete()"
    )


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


def stop_beat(d: Any) -> None:
    d.stop("beat")
    if isinstance(d, Full):  # as it looks an hour later
        d.driver.do(
            "from datetime import UTC, datetime, timedelta\n"
            "from django_celery_beat.models import PeriodicTask\n"
            "PeriodicTask.objects.filter(interval__every=30, interval__period='minutes', enabled=True)"
            ".update(last_run_at=datetime.now(UTC) - timedelta(hours=1))"
        )


def start_beat(d: Full) -> None:
    d.start("beat")


def beat_sends(d: Any) -> bool:
    """An entry of every second, added to beat's own table, comes to the worker."""
    d.driver.do(
        "from django_celery_beat.models import IntervalSchedule, PeriodicTask\n"
        "often, _ = IntervalSchedule.objects.get_or_create(every=1, period='seconds')\n"
        f"PeriodicTask.objects.update_or_create(name='proof', defaults=dict(task={PLAIN!r}, interval=often, "
        "queue='hr', enabled=True))"
    )

    def runs() -> int:
        return int(d.inspect().stats()[d.node]["total"].get(PLAIN, 0))

    before = runs()
    try:
        return bool(wait_until(lambda: runs() > before, 30, "beat's dispatch to run"))
    finally:
        d.driver.do(
            "from django_celery_beat.models import PeriodicTask\n"
            "PeriodicTask.objects.filter(name='proof').delete()"
        )


def disable(d: Any) -> None:
    d.driver.do(
        "from django_celery_beat.models import PeriodicTask\n"
        f"row = PeriodicTask.objects.get(name={ENTRY!r})\nrow.enabled = False\nrow.save()"
    )


def entry_is_on(d: Any) -> bool:
    """Beat's own query of what it schedules."""
    return bool(
        d.driver.do(
            "from django_celery_beat.models import PeriodicTask\n"
            f"value = PeriodicTask.objects.enabled().filter(name={ENTRY!r}).exists()"
        )
    )


pids: list[int] = []
TURNS = 5  # runs of one task before the other's: who runs together cannot be told apart


def leak(d: Any) -> None:
    """Processes that hold what earlier runs left."""
    stats = d.inspect().stats()[d.node]
    pids[:], before = stats["pool"]["processes"], stats["total"].get("tests.leaky", 0)
    app = d.app
    for _ in range(16):
        app.send_task("tests.leaky", (40,))
    wait_until(
        lambda: d.inspect().stats()[d.node]["total"].get("tests.leaky", 0) >= before + 16, 30, "the leak"
    )


@contextmanager
def goes_on_leaking(d: Any) -> Iterator[None]:
    """The task runs on, in turns with another one, until its processes begin to be replaced."""
    over = Event()
    app = d.app

    def send() -> None:
        turn = 0
        while not over.wait(0.5):
            name, megabytes = ("tests.clean", 20) if turn // TURNS % 2 else ("tests.leaky", 12)
            app.send_task(name, (megabytes,))
            turn += 1

    def look() -> None:
        while not over.wait(0.2):
            if pool(d) != set(pids):
                over.set()

    threads = [Thread(target=send), Thread(target=look)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def pool(d: Any) -> set[int]:
    told = wait_until(d.inspect().stats, 30, "the worker's statistics")
    return set(told[d.node]["pool"]["processes"])


def processes_are_new(d: Any) -> bool:
    return not pool(d) & set(pids)


def fill(d: Any) -> None:
    """Results until the memory limit is reached, some of them about to expire."""
    server = d.results
    put(d, 400, size=50_000, expires=lambda n: 100 + n)
    used = server.info("memory")["used_memory"]
    server.config_set("maxmemory-policy", "noeviction")
    server.config_set("maxmemory", int(used * 1.01))


def put(d: Any, count: int, *, size: int, expires: Callable[[int], int | None]) -> None:
    body = '{"status": "SUCCESS", "result": "%s"}' % ("x" * size)
    with d.results.pipeline(transaction=False) as pipe:
        for n in range(count):
            pipe.set(f"celery-task-meta-planted-{n:04d}", body, ex=expires(n))
        pipe.execute()


def has_room(d: Any) -> bool:
    """The newest results are still there, and one more is taken."""
    told = d.results.info("memory")
    kept = d.results.exists("celery-task-meta-planted-0399")
    return bool(kept and told["used_memory"] < 0.8 * told["maxmemory"] and run_a_task(d))


def lift_limit(d: Any) -> None:
    d.results.config_set("maxmemory", 0)
    d.results.delete(*d.results.keys("celery-task-meta-planted-*"))


def forever(d: Any) -> None:
    put(d, 30, size=100, expires=lambda n: None)


def all_expire(d: Any) -> bool:
    server = d.results
    return all(0 < server.ttl(key) <= 86_400 for key in server.keys("celery-task-meta-planted-*"))


UNCONSUMED = "; ".join(
    f"queue-unconsumed ({queue})"
    for queue in ("default", "analytics", "notifications", "hr", "ats", "celery")
)

FAULTS = (
    Fault("broker stopped", "worker-does-not-connect", "broker-unreachable", stop_broker, answers,
          by_hand=start_broker),
    Fault("wrong password", "worker-does-not-connect", "broker-refuses-login", wrong_password, run_a_task,
          by_hand=right_password),
    Fault("virtual host refused", "worker-does-not-connect", "broker-refuses-vhost", refuse_vhost, run_a_task,
          on=(Full,), by_hand=allow_vhost, kernel=False),
    Fault("worker stopped", "worker-does-not-connect", "no-worker", stop_worker, answers, by_hand=start_worker,
          kernel=False),
    Fault("queues taken from the worker", "tasks-not-executed", UNCONSUMED, other_queues, all_consumed,
          on=(Embedded,)),
    Fault("worker started on the wrong queues", "tasks-not-executed", UNCONSUMED, started_with_other_queues,
          all_consumed, on=(Full,), clear=newer_worker),
    Fault("entry of an unknown task", "tasks-not-executed", f"task-unregistered ({TYPO})", send_unknown_entry,
          unknown_entry_is_off, clear=remove_unknown_entry),
    Fault("worker of older code", "tasks-not-executed", "task-unregistered (tests.late)", older_worker,
          late_is_registered, on=(Full,), by_hand=newer_worker),
    Fault("queue paused", "tasks-not-executed", "queue-paused (hr)", pause, all_consumed),
    Fault("rate limit in the way", "tasks-not-executed", f"rate-limited ({PLAIN})", limit, held_ran,
          by_hand=newer_worker),
    Fault("beat stopped", "beat-does-not-trigger", "beat-stopped", stop_beat, beat_sends, by_hand=start_beat),
    Fault("row disabled", "beat-does-not-trigger", f"entry-disabled ({ENTRY})", disable, entry_is_on),
    Fault("task leaks", "worker-memory-grows", "task-leaks (tests.leaky)", leak, processes_are_new,
          parameters={"watch": 12}, briefly={"watch": 3}, meanwhile=goes_on_leaking),
    Fault("result backend stopped", "result-backend-full", "results-unreachable", stop_results, run_a_task,
          on=(Full,), by_hand=start_results, kernel=False),
    Fault("results at the memory limit", "result-backend-full", "results-memory-limit", fill, has_room,
          clear=lift_limit),
    Fault("results never expire", "result-backend-full", "results-never-expire", forever, all_expire,
          clear=lift_limit),
)  # fmt: skip

SERVICES = ("worker-does-not-connect", "beat-does-not-trigger", "result-backend-full")
WORK = ("tasks-not-executed", "worker-memory-grows")


def by_nbval(kind: type, runbooks: Sequence[str]) -> list[Fault]:
    """Faults that are tried in a kernel: each on the first of its deployments."""
    return [f for f in FAULTS if f.kernel and f.on[0] is kind and f.runbook in runbooks]


def by_interruption(kind: type, runbooks: Sequence[str]) -> list[Fault]:
    """Faults whose runbook is interrupted: each on the last of its deployments, and wherever its cure is another."""
    return [f for f in FAULTS if (f.on[-1] is kind or (f.by_hand and kind in f.on)) and f.runbook in runbooks]
