"""The ASGI application: ``uvicorn zumolib.web.asgi:application``."""

from __future__ import annotations

from django.conf import settings
from django.core.asgi import get_asgi_application

from zumolib.celery import app
from zumolib.conf import conf
from zumolib.errors import ConfError
from zumolib.web.signing import require_key

try:
    require_key(conf())
except ConfError as error:
    raise SystemExit(f"zumo: {error}") from None
settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # looked into first, whether or not it is filled
# Requests are served by other threads than this one, where the app would not be the current one; the
# admin's forms list its tasks and run them.
app.set_default()
application = get_asgi_application()
