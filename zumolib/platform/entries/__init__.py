"""All entries of the platform's schedule, as data, by business domain.

:mod:`zumolib.platform.installation` puts them into the database, where beat and the operators work on them.
"""

from __future__ import annotations

from dataclasses import replace

from zumolib.platform.entries import business, messages, people, platform
from zumolib.platform.entries.entry import Cron, Entry, Every

__all__ = ["BY_NAME", "CATEGORIES", "ENTRIES", "Cron", "Entry", "Every"]

CATEGORIES: tuple[str, ...] = (
    "System Maintenance",
    "Cache & Performance",
    "Notifications & Digest",
    "Tenant Management",
    "Account & Authentication",
    "ATS & Recruitment",
    "HR Core",
    "Careers & Public Site",
    "Analytics",
    "Newsletter & Marketing",
    "Notifications System",
    "Marketplace Services",
    "Finance & Payments",
    "Security",
    "Maintenance (Scale)",
    "Messages System",
    "Configuration",
    "Health Check",
)

_domains = {**platform.ENTRIES, **people.ENTRIES, **messages.ENTRIES, **business.ENTRIES}

ENTRIES: tuple[Entry, ...] = tuple(
    replace(entry, category=category) for category in CATEGORIES for entry in _domains[category]
)
BY_NAME: dict[str, Entry] = {entry.name: entry for entry in ENTRIES}
