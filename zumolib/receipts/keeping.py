"""Whether this process can keep receipts: not beside another project's Django, and not in its database.

A process has one Django configuration. Where the app that is operated on brings its own, the workbench reads the
schedule by that one, and has no table there.
"""

from __future__ import annotations

from zumolib.errors import ControlError

APP = "zumolib.receipts"


def require_settings() -> None:
    """Refuse where Django is another project's.

    Raises
    ------
    ControlError
        With what to do instead.
    """
    from django.apps import apps
    from django.conf import settings

    if not apps.is_installed(APP):
        raise ControlError(
            f"no receipt can be read or kept here: the app has Django settings of its own "
            f"({settings.SETTINGS_MODULE}), and nothing is written into "
            "another project's database; look with --dry-run, and act by that project's own means"
        )


def possible() -> bool:
    """Whether there is a table of receipts; without one no action of the workbench was ever taken there."""
    from django.apps import apps
    from django.db import connection

    return apps.is_installed(APP) and any(
        table.startswith(f"{apps.get_app_config('receipts').label}_")
        for table in connection.introspection.table_names()
    )
