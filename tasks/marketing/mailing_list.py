"""The mailing provider: who gets its newsletter, by its HTTP API (the lists of the Mailchimp Marketing API).

Members are put in batches, each of them created or changed by its address; who unsubscribed there is read
page by page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from django.conf import settings

from tasks.base.clock import moment
from tasks.base.errors import MailingRefused

TIMEOUT = 5, 30  # seconds to connect, and for an answer
BATCH = 500  # members of one request: the most that the provider takes
PAGE = 500
SUBSCRIBED, UNSUBSCRIBED = "subscribed", "unsubscribed"


@dataclass(frozen=True)
class Member:
    """A member as the provider is told."""

    email: str
    name: str
    subscribed: bool


def configured() -> bool:
    """Whether there is a mailing provider."""
    return bool(_key() and _base())


def push(members: Sequence[Member]) -> dict[str, str]:
    """Tell the provider the state of at most :data:`BATCH` members; whom it refuses, with the reason.

    Raises
    ------
    ConnectionError
        It does not answer, or is overloaded.
    MailingRefused
        It refuses the request itself.
    """
    body = {
        "update_existing": True,
        "members": [
            {
                "email_address": member.email,
                "status": SUBSCRIBED if member.subscribed else UNSUBSCRIBED,
                "merge_fields": {"FNAME": member.name},
            }
            for member in members
        ],
    }
    answer = _ask("POST", "", json=body)
    return {str(error["email_address"]): str(error.get("error", "")) for error in answer.get("errors", ())}


def unsubscribed() -> Iterator[dict[str, datetime]]:
    """Pages of who unsubscribed at the provider: address and when."""
    offset = 0
    while True:
        query = {"status": UNSUBSCRIBED, "count": PAGE, "offset": offset}
        answer = _ask("GET", "/members", params=query)
        members = answer.get("members", ())
        if members:
            yield {member["email_address"]: moment(member["last_changed"]) for member in members}
        offset += len(members)
        if not members or offset >= answer.get("total_items", 0):
            return


def _ask(method: str, path: str, **request: Any) -> dict[str, Any]:
    url = f"{_base()}/3.0/lists/{getattr(settings, 'MAILING_LIST', 'newsletter')}{path}"
    try:
        answer = requests.request(method, url, auth=("zumodra", _key()), timeout=TIMEOUT, **request)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise ConnectionError(f"the mailing provider does not answer: {error}") from error
    if answer.status_code == 429 or answer.status_code >= 500:
        raise ConnectionError(f"the mailing provider is overloaded ({answer.status_code} for {url})")
    if not answer.ok:
        raise MailingRefused(
            f"{method} {url} was refused ({answer.status_code}: {answer.text[:200]}); look at its address and key"
        )
    return dict(answer.json())


def _base() -> str:
    return str(getattr(settings, "MAILING_API_BASE", settings.STRIPE_API_BASE)).rstrip("/")


def _key() -> str:
    # The stand-in answers for both providers; the payment provider's key goes to no other address.
    shared = "" if hasattr(settings, "MAILING_API_BASE") else settings.STRIPE_API_KEY
    return str(getattr(settings, "MAILING_API_KEY", shared))
