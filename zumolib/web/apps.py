"""The Django app of the web pages."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Holds no tables; it exists so that Django knows the pages."""

    name = "zumolib.web"
    label = "web"
    verbose_name = "Web pages"
