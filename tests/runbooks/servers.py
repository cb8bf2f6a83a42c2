"""Servers and processes that are stopped, or refuse whoever comes."""

from __future__ import annotations

from typing import Any

from tests.runbooks.deployments import PLAIN, Deployment, Full
from tests.waiting import wait_until


def stop_broker(d: Any) -> None:
    d.stop("broker")


def start_broker(d: Full) -> None:
    d.rabbit.start()


def answers(d: Deployment) -> bool:
    return bool(wait_until(d.inspect().ping, 60, "an answer to Celery's ping"))


def wrong_password(d: Any) -> None:
    if isinstance(d, Full):
        d.rabbitmqctl("change_password", "guest", "another")
        return
    server = d.results
    server.config_set("requirepass", "another")
    server.config_rewrite()  # into its file too
    server.client_kill_filter(_type="normal", skipme=True)


def right_password(d: Full) -> None:
    d.rabbitmqctl("change_password", "guest", "guest")


def refuse_vhost(d: Full) -> None:
    d.rabbitmqctl("clear_permissions", "-p", "/", "guest")


def allow_vhost(d: Full) -> None:
    d.rabbitmqctl("set_permissions", "-p", "/", "guest", ".*", ".*", ".*")


def stop_worker(d: Any) -> None:
    d.stop("worker")


def start_worker(d: Full) -> None:
    d.start("worker")


def stop_results(d: Full) -> None:
    d.stop("results")


def start_results(d: Full) -> None:
    d.server.start()


def run_a_task(d: Deployment) -> bool:
    """A call goes all the way to its result."""
    return bool(d.app.send_task(PLAIN).get(timeout=60)["status"] == "ok")
