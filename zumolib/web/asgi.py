"""The ASGI application: ``uvicorn zumolib.web.asgi:application``."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

from zumolib.celery import app

# Requests are served by other threads than this one, where the app would not be the current one; the
# admin's forms list its tasks and run them.
app.set_default()
application = get_asgi_application()
