"""Every setting, typed and frozen; the only reader of the environment."""

from __future__ import annotations

from zumolib.conf.process import (
    allow_orm_in_event_loop,
    child_environment,
    drop_from_environment,
    headless,
    metrics_folder,
    person,
    runtime_folder,
    use_django,
)
from zumolib.conf.settings import PROJECT, STATE_FILE, Conf, Setting, conf, explain, hide, read

__all__ = [
    "PROJECT",
    "STATE_FILE",
    "Conf",
    "Setting",
    "allow_orm_in_event_loop",
    "child_environment",
    "conf",
    "drop_from_environment",
    "explain",
    "headless",
    "hide",
    "metrics_folder",
    "person",
    "read",
    "runtime_folder",
    "use_django",
]
