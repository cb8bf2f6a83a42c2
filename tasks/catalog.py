"""Every module that holds tasks; importing this one registers them all with the Celery app in use.

An app names it in its ``include`` setting, so that a new domain is added in this one place.
"""

from __future__ import annotations

from importlib import import_module

DOMAINS = (
    "analytics",
    "ats",
    "careers",
    "configurations",
    "core",
    "digests",
    "finance",
    "hr_core",
    "marketing",
    "messages_sys",
    "newsletter",
    "notifications",
    "security",
    "services",
    "tenant_profiles",
    "tenants",
    "zumodra",
)

MODULES = tuple(import_module(f"tasks.{domain}") for domain in DOMAINS)
