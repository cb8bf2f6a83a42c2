"""The ASGI application: ``uvicorn zumolib.web.asgi:application``."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

from zumolib.conf import use_django

use_django()
application = get_asgi_application()
