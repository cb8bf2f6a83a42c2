"""The process itself: its environment, its user, and whether a person sits before it."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process that we start."""
    return {**os.environ, **(extra or {})}


def drop_from_environment(name: str) -> None:
    """Let the processes that this one starts know nothing of a variable."""
    os.environ.pop(name, None)


def runtime_folder() -> str:
    """The user's own folder for sockets, as the system's log-in names it; empty where it does not."""
    return os.environ.get("XDG_RUNTIME_DIR", "")


def metrics_folder() -> Path | None:
    """Where this worker's processes count; None where they do not."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def headless() -> bool:
    """Whether this is a notebook's kernel that no person sits before: papermill's, nbconvert's, nbclient's.

    Jupyter's server names the notebook to the kernels of its sessions; whoever runs a notebook without a
    server does not.
    """
    kernel = sys.modules.get("ipykernel.kernelapp")
    return kernel is not None and kernel.IPKernelApp.initialized() and not os.environ.get("JPY_SESSION_NAME")


def person() -> str:
    """Who acts here: the user's name and the machine's."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def use_django() -> None:
    """Point Django, and Celery's Django support, at our settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zumolib.platform.settings")


def allow_orm_in_event_loop() -> None:
    """Let Django's ORM be used in a notebook, whose cells share their thread with an event loop."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
