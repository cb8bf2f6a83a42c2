"""Whether a database and a broker are this platform's own, which is where its worker, beat, entries and drills belong.

An observer must not take part. Whatever consumes, sends entries or writes tables asks here first, and what is
somebody else's is named and left as it is. An empty database or broker is ours to use; ``ZUMO_OWN`` says of one
that it is shared on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zumolib.conf import conf, hide
from zumolib.database import faults, orm
from zumolib.errors import BrokerError, ZumoError

if TYPE_CHECKING:
    from celery import Celery

OWN_APP = "zumolib"
TASK_CLASS = "zumolib.platform.task:BaseTask"  # of an app of ours, and of no other
PROBE = "zumodra.celery.health_check"  # a task that every worker of ours has and no other
OWN_TABLES = ("tasks_", "receipts_")  # of apps that no other project has
# What extensions of PostgreSQL bring along, and what the broker's own machinery is called.
EXTENSIONS = frozenset({"spatial_ref_sys"})
ITS_OWN = "sqlite_"  # SQLite's tables, as of what ANALYZE found
MACHINERY = re.compile(r"celeryev|celery_delayed_|(reply\.)?celery\.pidbox|.*\.pidbox$|.*reply\..*")
THEIR_EXCHANGE = "celery"  # Celery's default, which the platform does not use
SHOWN = 5
ASK_SECONDS = 1.0


class Foreign(ZumoError):
    """This database or broker is another project's, or is not known to be ours; nothing was written."""

    exit_code = 2


def require_app() -> None:
    """Refuse where another Celery app is operated on.

    Raises
    ------
    Foreign
        ``ZUMO_APP`` names another app than the platform's.
    """
    name = conf().ZUMO_APP
    if not is_own_app():
        raise Foreign(
            f"ZUMO_APP={name!r} is another project's app: entries, demo data, drills, worker and beat are the "
            "platform's own and stay away from it; `zumo up` starts a recorder and JupyterLab for it"
        )


def is_own_app() -> bool:
    """Whether the platform's own app is operated on, under whatever name it is found."""
    name = conf().ZUMO_APP
    if name.partition(":")[0] in (OWN_APP, f"{OWN_APP}.celery"):
        return True
    from celery.app.utils import find_app

    try:
        found = find_app(name)
    except (ImportError, AttributeError):
        return False  # whatever uses it says what is wrong
    return is_ours(found)


def is_ours(app: Celery) -> bool:
    """Whether an app is one of the platform's.

    Not by its tasks: what one app of a process shares, every other app of it has as well.
    """
    return bool(app.task_cls == TASK_CLASS)


def require_database() -> None:
    """Refuse a database that has tables of somebody else.

    Raises
    ------
    Foreign
        It has; the message names some.
    ZumoError
        It does not answer, so nobody knows.
    """
    found = foreign_tables()
    if found:
        raise Foreign(
            f"DATABASE_URL={hide(conf().database_url)!r} is another project's database, with {_some(found, 'table')}; "
            "nothing was written. Unset DATABASE_URL to use the workbench's own, name another, or set ZUMO_OWN=true "
            "if the platform shares this one on purpose"
        )


def foreign_tables() -> list[str]:
    """Tables in the database that are not the platform's; none where ``ZUMO_OWN`` says that this is meant.

    Raises
    ------
    ZumoError
        The database does not answer.
    """
    if conf().ZUMO_OWN:
        return []
    orm.ready()
    from django.apps import apps
    from django.db import DatabaseError, InterfaceError, connection

    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {
        "django_migrations"
    }
    try:
        tables = connection.introspection.table_names()
    except (DatabaseError, InterfaceError) as error:
        said = faults.line(error)
        if said is not None:
            raise Foreign(said) from None
        reason = str(error).strip().splitlines()[0]
        raise ZumoError(
            f"DATABASE_URL={hide(conf().database_url)!r}: {reason}; start that database or correct the address"
        ) from None
    there = {table for table in tables if table not in EXTENSIONS and not table.startswith(ITS_OWN)}
    marks = {table for table in ours if table.startswith(OWN_TABLES)}
    if not there & marks:  # what every Django project has is no sign of ours
        return sorted(there)
    # Made by Django for models that a later version dropped, or by a migration: named after our apps.
    labels = tuple(f"{config.label}_" for config in apps.get_app_configs())
    return sorted(table for table in there - ours if not table.startswith(labels))


def require_broker(app: Celery) -> None:
    """Refuse a broker on which another app has exchanges, queues or workers.

    Raises
    ------
    Foreign
        It has; the message names some.
    ZumoError
        The broker does not answer.
    """
    if conf().ZUMO_OWN:
        return
    try:
        found = foreign_traces(app)
    except BrokerError as error:
        raise BrokerError(
            f"the broker does not answer: {error}; see CELERY_BROKER_URL in `zumo conf`"
        ) from None
    if found:
        raise Foreign(
            f"CELERY_BROKER_URL={hide(app.conf.broker_url)!r} is another app's broker, with {'; '.join(found)}; nothing "
            "was taken from it and nothing sent. Give the platform a broker, virtual host or database number of its "
            "own, set ZUMO_APP to that app to look at it, or set ZUMO_OWN=true if they share it on purpose"
        )


def foreign_traces(app: Celery) -> list[str]:
    """What of somebody else is on the broker: exchanges, queues and workers.

    A waiting task that this app does not know is no sign: a newer producer may have sent it.

    Raises
    ------
    ZumoError
        The broker does not answer.
    """
    from zumolib.inspection.connection import CONNECT_SECONDS, broker_errors

    transport = app.connection_for_read().get_transport_cls()
    broken_by = (*transport.connection_errors, *transport.channel_errors)
    with (
        broker_errors(app, broken_by),
        app.connection_for_read(connect_timeout=CONNECT_SECONDS) as connection,
    ):
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        if connection.transport.driver_type == "redis":
            found, listening = _on_redis(app, connection.default_channel)
        else:
            found, listening = on_amqp(connection), True
        return found + (_workers(app, connection) if listening else [])


def _on_redis(app: Celery, channel: Any) -> tuple[list[str], bool]:
    """What is there, and whether a worker may be listening for remote control."""
    own_exchanges = {queue.exchange.name for queue in app.amqp.queues.values()}
    own_queues = set(app.amqp.queues)
    prefix = f"{channel.global_keyprefix}{channel.keyprefix_queue % ''}"
    exchanges, queues, listening = set(), set(), False
    with channel.conn_or_acquire() as client:
        for key in client.scan_iter(match=f"{prefix}*", count=1_000):
            exchange = key.decode()[len(prefix) :]
            listening = listening or exchange.endswith(".pidbox")
            if exchange in own_exchanges or MACHINERY.fullmatch(exchange):
                continue
            exchanges.add(exchange)
            members = client.execute_command("SMEMBERS", key.decode()[len(channel.global_keyprefix) :])
            queues |= {member.decode().rsplit(channel.sep, 1)[-1] for member in members}
    found = []
    if exchanges:
        found.append(_some(exchanges, "exchange"))
    if queues - own_queues:
        found.append(_some(queues - own_queues, "queue"))
    return found, listening


def on_amqp(connection: Any) -> list[str]:
    """Of somebody else on RabbitMQ: the exchange that every Celery app declares which does not name another one."""
    channel = connection.channel()
    try:
        channel.exchange_declare(THEIR_EXCHANGE, type="direct", durable=True, passive=True)
    except connection.channel_errors:
        return []  # there is none
    else:
        channel.close()
    return [f"the exchange {THEIR_EXCHANGE}, which the platform does not use"]


def _workers(app: Celery, connection: Any) -> list[str]:
    """Workers that answer and do not know our tasks."""
    # Not over a connection of the app's pool: that one would wait for replies in a process that is about to fork.
    found = app.control.inspect(timeout=ASK_SECONDS, connection=connection).registered() or {}
    foreign = {
        node for node, tasks in found.items() if not any(str(task).startswith(PROBE) for task in tasks)
    }
    return [_some(foreign, "worker")] if foreign else []


def _some(names: Iterable[str], noun: str) -> str:
    ordered = sorted(str(name)[:80] for name in names)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return f"{len(ordered)} {noun}{'' if len(ordered) == 1 else 's'} ({', '.join(ordered[:SHOWN])}{more})"
