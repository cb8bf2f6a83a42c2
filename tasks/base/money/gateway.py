"""The way to the payment provider: its official library, at the configured address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    import stripe

TIMEOUT = 20  # seconds for one answer of the provider
NETWORK_RETRIES = 2  # the library's own, with the same idempotency key
TEXT = 200  # characters kept of a reason


def configured() -> bool:
    """Whether there is a payment provider to ask."""
    return bool(settings.STRIPE_API_KEY)


def client(timeout: float = TIMEOUT, retries: int = NETWORK_RETRIES) -> stripe.StripeClient:
    """The provider's official library, pointed at the configured address."""
    return _client(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE, timeout, retries)


@cache
def _client(key: str, base: str, timeout: float, retries: int) -> stripe.StripeClient:
    import stripe  # a third of a second, which only the tasks that pay need

    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else {},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


@contextmanager
def reached() -> Iterator[None]:
    """Ask the provider; what may pass by itself is a ConnectionError, so that the task is tried again.

    Raises
    ------
    ConnectionError
        The provider cannot be reached, is overloaded, or still works on the same request.
    """
    import stripe

    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
        raise ConnectionError(f"the payment provider does not answer: {error}") from error


def metadata(row: Any) -> dict[str, str]:
    """What we told the provider that an object of its is about."""
    return dict(row.metadata.to_dict()) if row.metadata else {}
