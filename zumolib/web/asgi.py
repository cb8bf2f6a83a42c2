"""The ASGI application: ``uvicorn zumolib.web.asgi:application``."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.asgi import get_asgi_application

from zumolib.celery import app
from zumolib.conf import conf
from zumolib.deployment.ownership import Foreign, require_database
from zumolib.errors import ConfError, ZumoError
from zumolib.web.signing import require_key

try:
    require_key(conf())
    require_database()  # who signs in would write there, and see forms for the tables that have our names
except (ConfError, Foreign) as error:
    raise SystemExit(f"zumo: {error}") from None
except ZumoError as error:
    # Pages must tell that the database is down, so they are served all the same.
    logging.getLogger(__name__).warning("Not known yet whether this database is ours: %s", error)
settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # looked into first, whether or not it is filled
# Requests are served by other threads than this one, where the app would not be the current one; the
# admin's forms list its tasks and run them.
app.set_default()
application = get_asgi_application()
