from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.rabbitmq import rabbitmq
from tests.services.valkey import Valkey, valkey


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """``redis://…`` of a real Valkey, without a database number."""
    with valkey() as url:
        yield url.rsplit("/", 1)[0]


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """``amqp://…`` of a real RabbitMQ."""
    with rabbitmq() as url:
        yield url


@pytest.fixture(params=["valkey", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    """Each broker in turn, as CELERY_BROKER_URL; its queues may hold what other tests left."""
    if request.param == "valkey":
        return f"{request.getfixturevalue('valkey_url')}/2"
    return str(request.getfixturevalue("rabbitmq_url"))


@pytest.fixture(scope="module")
def valkey_server() -> Iterator[Valkey]:
    """A server that a module may stop and start."""
    found = Valkey()
    try:
        found.start()
        yield found
    finally:
        found.remove()
