"""Every module that holds tasks; importing this one registers them all with the Celery app in use.

An app names it in its ``include`` setting. A domain is a package beside this module with a ``tasks`` module:
none is listed here, so that none can be forgotten.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

DOMAINS = tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/tasks.py")))

MODULES = tuple(import_module(f"tasks.{domain}.tasks") for domain in DOMAINS)
