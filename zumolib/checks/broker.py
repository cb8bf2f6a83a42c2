"""Does the broker take connections?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zumolib.checks.check import Check, Finding
from zumolib.conf import hide

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene


def place(scene: Scene) -> str:
    """The broker's URL without its password."""
    return hide(scene.app.conf.broker_write_url or scene.app.conf.broker_url)


def _unreachable(scene: Scene) -> Iterator[Finding]:
    if scene.broker.state == "unreachable":
        yield Finding(
            "broker-unreachable",
            "",
            f"{place(scene)} does not answer: {scene.broker.said}",
            "start the broker, or correct CELERY_BROKER_URL",
        )


def _login(scene: Scene) -> Iterator[Finding]:
    if scene.broker.state == "login":
        yield Finding(
            "broker-refuses-login",
            "",
            f"{place(scene)} answers and refuses user and password: {scene.broker.said}",
            "make the password in CELERY_BROKER_URL and the broker's own the same",
        )


def _vhost(scene: Scene) -> Iterator[Finding]:
    if scene.broker.state == "vhost":
        yield Finding(
            "broker-refuses-vhost",
            "",
            f"{place(scene)} knows the user and refuses the virtual host: {scene.broker.said}",
            "create the virtual host and give the user its permissions, or correct CELERY_BROKER_URL",
        )


UNREACHABLE = Check("broker-unreachable", "the broker does not answer", _unreachable)
LOGIN = Check("broker-refuses-login", "the broker refuses user or password", _login)
VHOST = Check("broker-refuses-vhost", "the broker refuses the virtual host", _vhost)
CHECKS = (UNREACHABLE, LOGIN, VHOST)
IDS = tuple(check.id for check in CHECKS)
