"""The questions: disk, broker, result backend, database, beat, recorder and worker."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psutil
import redis

from zumolib.conf import conf
from zumolib.deployment import ownership
from zumolib.recorder import state as recorder_state
from zumolib.vitals import database
from zumolib.vitals.answer import FAILING, OK, UNKNOWN, WARNING, Answer, Question, ask

ANSWER_SECONDS = 2  # for a server to answer; libpq's connect_timeout knows whole seconds and no 1
PING_SECONDS = 2.5  # for workers; they answer in 0.02 s
RECORDER_SECONDS = 7.0  # a recorder says something about once a second
BEAT_SECONDS = 15.0  # beat renews its lease every 5 s
MANY_WAITING = 10_000  # events at the broker, which one recorder takes in a second
LOW_BYTES, LOW_PART, LOW_MOST_BYTES = (
    2**30,
    0.05,
    10 * 2**30,
)  # free space below which the disk is nearly full
PROBE_KEY = "zumo.health"
PROBE_SECONDS = 60
WORKER_NAME = "zumo-worker:"  # begins the names of our workers' connections, see zumolib.platform.transport

ASKED_THROUGH = {"worker": "broker", "beat": "database"}

BROKER_REMEDY = "look at CELERY_BROKER_URL and the broker's log (`zumo logs valkey`)"
BACKEND_REMEDY = "look at CELERY_RESULT_BACKEND and its log (`zumo logs valkey`)"
CACHE_REMEDY = "look at REDIS_URL and the cache's log"
DATABASE_REMEDY = "look at DATABASE_URL and the database's log; run `zumo migrate` if tables are missing"
BEAT_REMEDY = "look at beat's log (`zumo logs beat`); `zumo up` starts it"
RECORDER_REMEDY = "look at the recorder's log (`zumo logs recorder`); `zumo up` or `zumo record` starts one"
WORKER_REMEDY = (
    "look at the worker's log (`zumo logs worker`) before it is started again; `zumo up` starts one"
)
DISK_REMEDY = "free some space on the disk of ZUMO_HOME, or set ZUMO_MIN_FREE_MB lower"

REMEDIES = {
    "disk": DISK_REMEDY,
    "broker": BROKER_REMEDY,
    "recorder": RECORDER_REMEDY,
    "cache": CACHE_REMEDY,
    "results": BACKEND_REMEDY,
    "database": DATABASE_REMEDY,
    "beat": BEAT_REMEDY,
    "worker": WORKER_REMEDY,
}
IDS = tuple(REMEDIES)


def all_questions(*, own: bool, only: Collection[str] = ()) -> list[Answer]:
    """Ask what concerns this machine's settings.

    Parameters
    ----------
    own
        The platform's own app is operated on. Beside another one only what is ours is asked, and nothing
        is written to its broker.
    only
        Ids; empty asks all.
    """
    questions: dict[str, tuple[Question, str]] = {
        "disk": (disk, DISK_REMEDY),
        "broker": (lambda: broker(own=own), BROKER_REMEDY),
        "recorder": (recorder, RECORDER_REMEDY),
    }
    if own:
        questions |= {
            "cache": (lambda: _redis("cache", conf().REDIS_URL, write=False), CACHE_REMEDY),
            "results": (results, BACKEND_REMEDY),
            "database": (lambda: database.answer(ANSWER_SECONDS), DATABASE_REMEDY),
            "beat": (beat, BEAT_REMEDY),
            "worker": (worker, WORKER_REMEDY),
        }
    answers = ask({name: question for name, question in questions.items() if not only or name in only})
    failing = {answer.id for answer in answers if answer.state == FAILING}
    return [
        replace(
            answer,
            state=UNKNOWN,
            evidence=f"cannot be asked without the {ASKED_THROUGH[answer.id]}",
            remedy=f"see {ASKED_THROUGH[answer.id]}",
        )
        if answer.id in failing and ASKED_THROUGH.get(answer.id) in failing
        else answer
        for answer in answers
    ]


def disk() -> Answer:
    """Free space where the state is kept."""
    settings = conf()
    folders = [folder for folder in (settings.ZUMO_HOME, settings.history_folder) if folder.is_dir()]
    if not folders:
        return Answer("disk", UNKNOWN, f"{settings.ZUMO_HOME} is not there yet", remedy="`zumo up` makes it")
    usages = [(shutil.disk_usage(folder), folder) for folder in folders]
    usage, folder = min(usages, key=lambda found: found[0].free)
    said = f"{usage.free / 2**20:,.0f} MB of {usage.total / 2**20:,.0f} MB are free on the disk of {folder}"
    if usage.free < settings.ZUMO_MIN_FREE_MB * 2**20:
        return Answer("disk", FAILING, f"{said}, {settings.ZUMO_MIN_FREE_MB} MB are needed", 0.0, DISK_REMEDY)
    if usage.free < min(max(LOW_BYTES, LOW_PART * usage.total), LOW_MOST_BYTES):
        return Answer("disk", WARNING, f"{said}: nearly full", 0.0, DISK_REMEDY)
    return Answer("disk", OK, said, 0.0)


def broker(*, own: bool) -> Answer:
    """It lets us in, and takes what is written to it."""
    url = conf().CELERY_BROKER_URL
    write = own and not _broker_is_anothers()
    if own and not write:
        return _not_tried("broker")
    if conf().broker_is_redis:
        return _redis("broker", url, write=write)
    with _connection() as connection:
        channel = connection.channel()
        if write:
            # Nobody has a queue of this name, so the message is dropped; a broker that is short of disk
            # or memory takes none and confirms none.
            import amqp  # type: ignore[import-untyped]

            channel.confirm_select()
            channel.basic_publish_confirm(
                amqp.Message(""), exchange="", routing_key=PROBE_KEY, confirm_timeout=ANSWER_SECONDS
            )
        channel.close()
    return Answer("broker", OK, "answers and takes messages" if write else "answers", 0.0)


def results() -> Answer:
    """They can be read, and are written where the broker is not another app's: then so may they be."""
    try:
        anothers = _broker_is_anothers()
    except Exception:  # noqa: BLE001 - whatever a driver raises: the question of the broker tells it
        anothers = False
    answer = _redis("results", conf().CELERY_RESULT_BACKEND, write=not anothers)
    return _not_tried("results") if anothers else answer


def _broker_is_anothers() -> bool:
    """Whether the default exchange of Celery is there; asked without Celery, whose import takes longer."""
    if conf().ZUMO_OWN:
        return False
    if conf().broker_is_redis:
        with _client(conf().CELERY_BROKER_URL) as client:
            return bool(client.exists(f"_kombu.binding.{ownership.THEIR_EXCHANGE}"))
    with _connection() as connection:
        return bool(ownership.on_amqp(connection))


def _not_tried(name: str) -> Answer:
    return Answer(
        name,
        UNKNOWN,
        "answers; no write is tried, since the broker is another app's",
        0.0,
        "set ZUMO_APP to that app to look at it, or ZUMO_OWN=true if the platform shares its broker on purpose",
    )


def _redis(name: str, url: str, *, write: bool) -> Answer:
    with _client(url) as client:
        client.ping()
        if write:
            client.set(PROBE_KEY, "", ex=PROBE_SECONDS)
    return Answer(name, OK, "answers and takes writes" if write else "answers", 0.0)


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        _plain(url), socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=None
    )


def _plain(url: str) -> str:
    """A URL as redis-py knows it: kombu's name for a socket differs, and so does its name of the database."""
    if not url.startswith("redis+socket://"):
        return url
    return url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")


def _connection() -> Any:
    from kombu.connection import Connection

    timeouts = {"socket_timeout": ANSWER_SECONDS + 1, "socket_connect_timeout": ANSWER_SECONDS}
    made = Connection(
        conf().CELERY_BROKER_URL,
        connect_timeout=ANSWER_SECONDS,
        transport_options=timeouts if conf().broker_is_redis else {},
    )
    made.ensure_connection(max_retries=0, timeout=ANSWER_SECONDS)
    return made


def recorder() -> Answer:
    """One recorder at least writes what it takes; what each says of itself is a second old."""
    at = datetime.now(UTC)
    states = [said for said in recorder_state.read(conf().history_folder, at) if said.state != "stopped"]
    if not states:
        return Answer("recorder", FAILING, "no recorder runs", remedy=RECORDER_REMEDY)
    ages = {said.name: (at - datetime.fromisoformat(said.updated)).total_seconds() for said in states}
    fresh = [said for said in states if ages[said.name] <= RECORDER_SECONDS]
    works = [said for said in fresh if said.state == "recording"]
    if works:
        waiting = max(said.waiting or 0 for said in works)
        age = min(ages[said.name] for said in works)
        if waiting > MANY_WAITING:
            return Answer("recorder", WARNING, f"{waiting:,} events wait", age, "start a second recorder")
        return Answer("recorder", OK, f"{len(works)} of {len(states)} record", age)
    said = min(states, key=lambda state: ages[state.name])
    age = ages[said.name]
    if said not in fresh:
        evidence = f"{said.name} has said nothing for {age:,.0f} s{_stopped(said.pid)}"
        return Answer("recorder", FAILING, evidence, age, RECORDER_REMEDY)
    state = WARNING if said.state == "starting" else FAILING
    return Answer("recorder", state, f"{said.name}: {said.state} {said.reason}".strip(), age, RECORDER_REMEDY)


def beat() -> Answer:
    """Somebody holds the lease of the schedule, and renews it."""
    from zumolib.schedule.leases import standing

    connection = database.connection(ANSWER_SECONDS)
    try:
        lease = standing.of("beat", connection)
    finally:
        connection.close()
    if lease is None:
        return Answer("beat", FAILING, "no beat ever took the lease", remedy=BEAT_REMEDY)
    age = (datetime.now(UTC) - lease.renewed).total_seconds() if lease.renewed else None
    if lease.state != standing.HELD or lease.restarts:
        return Answer("beat", FAILING, lease.restarts or str(lease), age, BEAT_REMEDY)
    stopped = _stopped(lease.pid) if lease.host == socket.gethostname() else ""
    if stopped or (age is not None and age > BEAT_SECONDS):
        evidence = f"process {lease.pid} on {lease.host} renewed its lease {age or 0:,.0f} s ago{stopped}"
        return Answer("beat", FAILING, evidence, age, BEAT_REMEDY)
    return Answer("beat", OK, str(lease), age)


def _stopped(pid: int | None) -> str:
    """That a process of this machine is stopped or gone, in words; empty where it is not, or is not known."""
    try:
        state = psutil.Process(pid).status() if pid else ""
    except psutil.Error:
        return ""
    return f"; process {pid} is stopped (SIGCONT lets it go on)" if state == psutil.STATUS_STOPPED else ""


def worker() -> Answer:
    """Everybody who is connected as a worker answers a ping."""
    from kombu.pidbox import Mailbox

    connected = _connected_workers() if conf().broker_is_redis else set()
    with _connection() as connection:
        mailbox = Mailbox("celery", type="fanout", accept=["json"], serializer="json", queue_ttl=300.0,
                          queue_expires=10.0)  # fmt: skip
        box = mailbox(connection)
        limit = len(connected) or None
        replies = box.multi_call("ping", timeout=PING_SECONDS, limit=limit) or []
    nodes = sorted({node for reply in replies for node in reply})
    silent = max(0, len(connected) - len(nodes))
    if nodes and not silent:
        return Answer("worker", OK, f"{', '.join(nodes)} answered", 0.0)
    if not connected and not nodes:
        return Answer("worker", FAILING, "no worker answers", 0.0, WORKER_REMEDY)
    why = "".join(_stopped(_pid(name)) for name in sorted(connected))
    evidence = f"{len(nodes)} of {len(connected)} connected workers answered within {PING_SECONDS:g} s{why}"
    return Answer("worker", FAILING, evidence, 0.0, WORKER_REMEDY)


def _connected_workers() -> set[str]:
    """Names of our workers' connections: they are open even where the worker is stopped or hangs."""
    with _client(conf().CELERY_BROKER_URL) as client:
        # Raw: the client's parsing of this reply differs between its versions.
        client.response_callbacks.pop("CLIENT LIST", None)
        lines = client.execute_command("CLIENT LIST").decode("utf-8", "replace").splitlines()
        number = str(client.connection_pool.connection_kwargs.get("db") or 0)
    fields = [dict(field.partition("=")[::2] for field in line.split(" ")) for line in lines]
    return {f["name"] for f in fields if f.get("name", "").startswith(WORKER_NAME) and f.get("db") == number}


def _pid(name: str) -> int | None:
    host, pid, _ = name.removeprefix(WORKER_NAME).rsplit(":", 2)
    return int(pid) if host == socket.gethostname() else None
