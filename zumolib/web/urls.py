"""Addresses of the web pages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from zumolib.web.health import health
from zumolib.web.metrics import metrics

admin.site.site_header = admin.site.site_title = "Zumodra operations"
admin.site.index_title = "Schedule and platform data"
admin.site.site_url = None  # "view site" would lead back to the admin

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("health/", health),
    path("metrics", metrics),
]
