"""Django's ORM, ready for use outside of Django: in the command line and in notebook cells."""

from __future__ import annotations

from functools import cache
from typing import Any

from zumolib import conf
from zumolib.conf import permission
from zumolib.database import faults
from zumolib.errors import ZumoError


def ready() -> None:
    """Make the models usable in this process; calling it again does nothing.

    In a notebook the event loop runs in the same thread as the cells, which Django takes for unsafe use,
    and a connection that broke while the notebook was idle would stay broken; both are taken care of.
    """
    conf.use_django()
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    _prepare_notebook()


@cache
def _prepare_notebook() -> None:
    """Once, also where the app that is operated on had set Django up before."""
    shell = _notebook_shell()
    if shell is not None:
        conf.allow_orm_in_event_loop()
        shell.events.register("pre_run_cell", lambda _info: refresh())


def refresh() -> None:
    """Drop connections that broke or grew old, so that the next query opens a new one."""
    from django.db import close_old_connections

    close_old_connections()


def _notebook_shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def migrate() -> None:
    """Bring the database to the newest schema.

    Raises
    ------
    ZumoError
        When the database does not answer.
    ReadOnly
        When there is something to do and actions are not wanted.
    """
    ready()
    from django.core.management import call_command
    from django.db import DatabaseError, OperationalError, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return
        permission.check()
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        said = faults.line(error)
        if said is not None:
            raise ZumoError(said) from None
        if not isinstance(error, OperationalError):
            raise
        url = conf.hide(conf.conf().database_url)
        reason = str(error).strip().splitlines()[0]
        raise ZumoError(
            f"DATABASE_URL={url!r}: {reason}; start that database or correct the address"
        ) from None
